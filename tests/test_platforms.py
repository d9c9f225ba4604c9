"""Images for several platforms: one lock, one index, and each image the same as alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cogn import lockfiles
from cogn.cli.main import cogn
from support.containers import podman
from support.locks import AMD64, ARM64
from support.projects import unseal

pytestmark = [pytest.mark.network, pytest.mark.podman]


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(cogn, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def assemble(*arguments: str | Path) -> str:
    """Run ``cogn assemble``; return the digest it prints."""
    return invoke("assemble", *arguments).stdout.strip()


@pytest.fixture(scope="module")
def project(locked: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest example, locked for both platforms."""
    directory = tmp_path_factory.mktemp("platforms") / "hello"
    shutil.copytree(locked["hello"], directory)
    before = (directory / "cogn.lock").read_text()
    said = invoke("lock", directory, "--platform", ARM64, "--platform", f"{ARM64},{AMD64}").stderr
    assert f"{AMD64}: " in said
    assert f"; {ARM64}: " in said
    assert f"Resolving 6 requirements for {ARM64}\n" in said
    assert (directory / "cogn.lock").read_text().startswith(before)
    return directory


def skopeo(*arguments: str | Path) -> str:
    command = ["skopeo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def inspected(image: str, architecture: str, *options: str) -> dict[str, Any]:
    said = skopeo("--override-arch", architecture, "inspect", *options, image)
    return dict(json.loads(said))


def test_locking_again_keeps_the_platforms(project: Path) -> None:
    before = (project / "cogn.lock").read_bytes()
    assert "cogn.lock is up to date: linux/amd64: " in invoke("lock", project).stderr
    assert (project / "cogn.lock").read_bytes() == before


def test_a_layout_has_an_index_of_the_images_that_each_platform_has_alone(
    project: Path, tmp_path: Path
) -> None:
    # Every layer is built, those for arm64 without a machine of that kind.
    unseal(project)
    layout = f"oci:{tmp_path / 'layout'}:v1"
    digest = assemble(project, "-o", layout)
    sealed = lockfiles.read(project / "cogn.lock")
    assert all(environment.seals for environment in sealed.environments.values())

    index = json.loads(skopeo("inspect", "--raw", layout))
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert json.loads((tmp_path / "layout/index.json").read_bytes())["manifests"] == [
        {
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
            "digest": digest,
            "mediaType": index["mediaType"],
            "size": len((tmp_path / "layout/blobs" / digest.replace(":", "/")).read_bytes()),
        }
    ]
    for platform, described in zip((AMD64, ARM64), index["manifests"], strict=True):
        architecture = platform.removeprefix("linux/")
        assert described["platform"] == {"architecture": architecture, "os": "linux"}
        alone = tmp_path / architecture
        assert (
            assemble(project, "--platform", platform, "-o", f"oci:{alone}") == (described["digest"])
        )
        skopeo("copy", "--override-arch", architecture, layout, f"dir:{alone}-copy")
        manifest = json.loads((tmp_path / f"{architecture}-copy/manifest.json").read_bytes())
        environment = sealed.environments[platform]
        assert [layer["digest"] for layer in manifest["layers"]][:-1] == [
            seal.digest for seal in environment.seals
        ]
        label = inspected(layout, architecture)["Labels"]["run.cogn.lock"]
        assert json.loads(label)["environments"].keys() == {platform}


def test_a_lock_for_one_platform_gives_the_image_that_the_index_names(
    project: Path, locked: dict[str, Path], tmp_path: Path
) -> None:
    both = assemble(project, "--platform", AMD64, "-o", f"oci:{tmp_path / 'both'}")
    assert assemble(locked["hello"], "-o", f"oci:{tmp_path / 'alone'}") == both


def test_podman_takes_the_image_of_its_own_platform_from_an_archive(
    project: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    assemble(project, "-o", f"oci-archive:{archive}")
    image = podman("pull", "--quiet", f"oci-archive:{archive}").strip()
    try:
        assert podman("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image) == (
            f"{AMD64}\n"
        )
    finally:
        podman("rmi", "--force", image)


@pytest.mark.registry
def test_a_registry_gets_the_index_and_both_images(project: Path, registry: str) -> None:
    reference = f"{registry}/platforms:1"
    digest = assemble(project, "--push", reference)
    image = f"docker://{reference}"
    for architecture in ("amd64", "arm64"):
        found = inspected(image, architecture, "--tls-verify=false")
        assert (found["Digest"], found["Architecture"]) == (digest, architecture)
    podman("pull", "--quiet", "--tls-verify=false", f"docker://{registry}/platforms@{digest}")
    podman("rmi", "--force", f"{registry}/platforms@{digest}")
