"""`cogn inspect`: what is in a registry is told without a checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cogn.cli.main import cogn
from cogn.report import CognError
from support import registry as fake
from support.registry import Answer, Endpoint, FakeRegistry, Fault
from support.sealed import SealedProject, sealed_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SealedProject:
    made = sealed_project(tmp_path)
    monkeypatch.setenv("COGN_CACHE", str(made.cache))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    return made


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cogn, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("faults", [[], [Fault(fake.NoReferrers())]], ids=["referrers", "tag"])
def test_an_image_and_its_lock_are_told(project: SealedProject, faults: list[Fault]) -> None:
    with FakeRegistry(faults=faults) as registry:
        pushed = invoke("assemble", project.root, "--push", f"{registry.host}/m:1").stdout.strip()
        shown = invoke("inspect", f"{registry.host}/m:1").stdout
        told = json.loads(invoke("inspect", f"{registry.host}/m@{pushed}", "--json").stdout)
        lock = invoke("inspect", f"{registry.host}/m:1", "--lock").stdout
    lines = shown.splitlines()
    assert lines[1] == pushed
    assert [line.split()[-1] for line in lines if line.startswith("  ")] == [
        "base",
        "3.13.5",
        "server",
        "files",
        "source",
    ]
    (image,) = told["images"]
    assert (told["digest"], told["has_lock"], image["platform"]) == (pushed, True, "linux/amd64")
    assert [layer["digest"] for layer in image["layers"]][:-1] == list(project.layers)
    assert lock.encode() == project.after


BROKEN = {
    "no such tag": ([Fault(Answer(404), on=Endpoint.MANIFEST_GET)], "is not there"),
    "no manifest": (
        [Fault(Answer(200, body=b"{" * 100_000), on=Endpoint.MANIFEST_GET)],
        "is no manifest of one",
    ),
    "layers without a size": (
        [Fault(Answer(200, body=b'{"config": {}, "layers": [{}]}'), on=Endpoint.MANIFEST_GET)],
        "is no manifest of one",
    ),
}


@pytest.mark.parametrize(("faults", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_image_is_an_error(
    project: SealedProject, faults: list[Fault], message: str
) -> None:
    with FakeRegistry(faults=faults) as registry, pytest.raises(CognError, match=message):
        invoke("inspect", f"{registry.host}/m:1")


def test_an_image_without_its_lock_says_so(project: SealedProject) -> None:
    with FakeRegistry() as registry:
        data = b'{"config": {"digest": "%s"}, "layers": []}'
        config = registry.add_blob("m", b"{}")
        registry.add_manifest("m", data % config.encode(), tag="1")
        assert "No lock is with it." in invoke("inspect", f"{registry.host}/m:1").stdout
        with pytest.raises(CognError, match="no lock is kept with"):
            invoke("inspect", f"{registry.host}/m:1", "--lock")
