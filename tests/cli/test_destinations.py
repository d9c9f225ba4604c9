"""What `cogn assemble` says and does about places that are neither a layout nor a registry."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cogn.cli.main import cogn
from support.containers import podman

pytestmark = [pytest.mark.network, pytest.mark.podman]


def test_one_command_writes_an_archive_and_loads_the_same_image(
    locked: dict[str, Path], tmp_path: Path
) -> None:
    name = f"cogn-test-{uuid4().hex[:12]}"
    project, file = tmp_path / name, tmp_path / "image.tar"
    shutil.copytree(locked["hello"], project)
    arguments = [str(project), "-o", f"docker-archive:{file}", "--engine", "podman"]
    try:
        result = CliRunner().invoke(cogn, ["assemble", *arguments], catch_exceptions=False)
        assert f"Assembled docker-archive:{file}: " in result.stderr
        assert f"Loaded {name}:latest into podman: " in result.stderr
        (loaded,) = json.loads(podman("image", "inspect", f"localhost/{name}:latest"))
    finally:
        podman("rmi", "--force", name)
    assert result.stdout.startswith("sha256:")
    with tarfile.open(file) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        (written,) = json.load(manifest)
    assert written["Config"] == f"{loaded['Id']}.json"
    assert written["RepoTags"] == [f"{name}:latest"]
    assert not (project / ".cogn").exists()
