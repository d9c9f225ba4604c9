"""What an image says to the runtime of containers about the GPU, on cogn's base and on NVIDIA's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cogn.cli.main import cogn
from cogn.lockfiles import Cuda
from support.locks import make_image_base
from support.nvidia import ENVIRONMENT, LABELS, REQUIRE
from support.sealed import sealed_project


class Machine:
    """Where projects are assembled, without what they are based on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def settings(self, *options: str, **project: Any) -> dict[str, Any]:
        """Return what the configuration of a project's image says to those who run it."""
        made = sealed_project(self._directory, **project)
        layout = self._directory / "image"
        command = ["assemble", str(made.root), "-o", f"oci:{layout}", "--sparse", *options]
        result = CliRunner().invoke(
            cogn, command, catch_exceptions=False, env={"COGN_CACHE": str(made.cache)}
        )
        assert result.exit_code == 0, result.output

        def document(digest: str) -> dict[str, Any]:
            path = layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
            loaded: dict[str, Any] = json.loads(path.read_bytes())
            return loaded

        config = document(document(result.stdout.strip())["config"]["digest"])
        settings: dict[str, Any] = config["config"]
        return settings

    def environment(self, **project: Any) -> dict[str, str]:
        """Return the variables of a project's image."""
        return dict(each.split("=", 1) for each in self.settings(**project)["Env"])


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


NVIDIA = make_image_base(
    environment=tuple(f"{name}={value}" for name, value in ENVIRONMENT.items()), labels=LABELS
)


def cuda(version: str) -> Cuda:
    return Cuda(version=version, driver="580.65.06", provider="wheels", reasons=("for tests",))


def test_a_base_without_cuda_asks_for_the_gpu_and_for_a_driver_of_the_major(
    machine: Machine,
) -> None:
    environment = machine.environment(gpu=True, cuda=cuda("13.2"))
    asked = {name: value for name, value in environment.items() if "NVIDIA" in name}
    assert asked == {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": "cuda>=13.0",
    }
    assert "CUDA_VERSION" not in environment


def test_a_model_without_gpu_asks_for_none(machine: Machine) -> None:
    assert not [name for name in machine.environment() if "NVIDIA" in name]


def test_what_a_base_of_nvidia_says_stays(machine: Machine) -> None:
    environment = machine.environment(gpu=True, cuda=cuda("12.8"), base=NVIDIA)
    expected = {name: value for name, value in ENVIRONMENT.items() if name != "PATH"}
    assert environment | expected == environment


def test_wheels_of_a_newer_cuda_than_the_base_ask_for_its_driver(machine: Machine) -> None:
    environment = machine.environment(gpu=True, cuda=cuda("13.2"), base=NVIDIA)
    assert environment["NVIDIA_REQUIRE_CUDA"] == "cuda>=13.0"
    assert REQUIRE.startswith("cuda>=12.4 ")


def test_the_labels_of_a_base_lie_below_those_of_the_model(machine: Machine) -> None:
    own = {"run.cog.has_init": "false", "maintainer": "somebody"}
    option = ("--label", "maintainer=us")
    labels = machine.settings(*option, base=make_image_base(labels=LABELS | own))["Labels"]
    kept = {name: text for name, text in LABELS.items() if name != "maintainer"}
    assert labels | kept == labels
    assert (labels["run.cog.has_init"], labels["maintainer"]) == ("true", "us")
