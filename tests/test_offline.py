"""A machine without a network: the directory of `cogn vendor` is all it takes, and all it gets."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cogn import lockfiles
from cogn.store import Cache
from support.bases import BaseImage, real_base
from support.locks import AMD64, ARM64
from support.projects import cogn, digest_of, unseal
from support.registry import FakeRegistry
from support.standalone import MINOR, NEEDED, make_build

pytestmark = pytest.mark.network

UNSHARE = ("unshare", "--map-root-user", "--net")
"""Runs a program in a network namespace that has no network, not even the machine itself."""


def can_unshare() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Island:
    """A machine with empty caches and no network."""

    def __init__(self, directory: Path) -> None:
        if not can_unshare():
            pytest.skip("needs network namespaces")
        directory.mkdir()
        self.cache = directory / "cache"
        self._uv_cache = directory / "uv-cache"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        uv_cache = str(self._uv_cache)
        return cogn(*arguments, cache=self.cache, wrapper=UNSHARE, UV_CACHE_DIR=uv_cache)


@pytest.fixture
def island(tmp_path: Path) -> Island:
    return Island(tmp_path / "island")


@pytest.fixture(scope="module")
def project(locked: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with compiled wheels, whose layers nobody has made yet."""
    directory = tmp_path_factory.mktemp("mainland") / "resize"
    shutil.copytree(locked["resize"], directory)
    unseal(directory)
    return directory


def carried(project: Path, tmp_path: Path) -> Path:
    """Copy the project to where the other machine has it."""
    return Path(shutil.copytree(project, tmp_path / "island" / project.name, symlinks=True))


def test_the_image_is_the_same_where_there_is_no_network(
    project: Path, island: Island, tmp_path: Path
) -> None:
    vendor = project / "vendor"  # in the project, of whose image it is no part
    expected = digest_of(cogn("assemble", project, cache=Cache().root))
    unseal(project)
    said = cogn("vendor", vendor, project, cache=Cache().root)
    assert (said.returncode, said.stdout) == (0, "")
    files = [path for path in vendor.rglob("*") if path.is_file()]
    assert f"`{vendor}` has the {len(files) - 1} files that the lock names, " in said.stderr
    assert f", {len(files) - 1} of them new\n" in said.stderr

    copy = carried(project, tmp_path)
    ended = island.run("assemble", copy, "--offline", "--vendor", copy / "vendor")
    assert digest_of(ended) == expected
    # What was made or brought is here now, so the directory is needed no longer.
    assert digest_of(island.run("assemble", copy, "--offline")) == expected
    # With a sealed lock and its layers in place, not even the cache is needed.
    shutil.rmtree(island.cache)
    assert digest_of(island.run("assemble", copy, "--offline")) == expected
    assert "cogn.lock is up to date" in island.run("lock", copy, "--offline").stderr


def test_a_new_project_is_locked_from_the_caches(locked: dict[str, Path], tmp_path: Path) -> None:
    if not can_unshare():
        pytest.skip("needs network namespaces")
    projects = [tmp_path / name / "hello" for name in ("near", "far")]
    for directory in projects:
        shutil.copytree(locked["hello"], directory, ignore=shutil.ignore_patterns("cogn.lock"))
    near, far = projects
    shared = Cache().root
    assert cogn("lock", near, cache=shared).returncode == 0
    ended = cogn("lock", far, "--offline", cache=shared, wrapper=UNSHARE)
    assert ended.returncode == 0, ended.stderr
    assert (far / "cogn.lock").read_bytes() == (near / "cogn.lock").read_bytes()


def test_writing_the_directory_again_needs_no_network(
    project: Path, island: Island, tmp_path: Path
) -> None:
    vendor = tmp_path / "vendor"
    assert cogn("vendor", vendor, project, cache=Cache().root).returncode == 0
    said = island.run("vendor", vendor, project, "--offline")
    assert said.stderr.endswith(", all of them were there\n")
    (removed, *_) = vendor.rglob("*.deb")
    removed.unlink()
    (vendor / "wheels" / "other.whl").write_bytes(b"")
    said = island.run("vendor", vendor, project, "--offline")
    assert (said.returncode, said.stdout) == (1, "")
    assert "error: this is not on the machine, and `--offline` forbids" in said.stderr
    assert removed.name.partition("_")[0] in said.stderr
    said = cogn("vendor", vendor, project, cache=Cache().root)
    assert said.stderr.endswith(", 1 of them new; others that stay there: 1\n")


def test_a_directory_is_enough_for_another_platform_than_the_machines(
    locked: dict[str, Path], island: Island, tmp_path: Path
) -> None:
    project = tmp_path / "hello"
    shutil.copytree(locked["hello"], project)
    shared = Cache().root
    assert cogn("lock", project, "--platform", f"{AMD64},{ARM64}", cache=shared).returncode == 0
    unseal(project)
    vendor = tmp_path / "vendor"
    assert cogn("vendor", vendor, project, "--platform", ARM64, cache=shared).returncode == 0
    copy = carried(project, tmp_path)
    arguments = ("--platform", ARM64, "--offline", "--vendor", vendor)
    expected = digest_of(cogn("assemble", project, "--platform", ARM64, cache=shared))
    assert digest_of(island.run("assemble", copy, *arguments)) == expected


def test_a_wrong_file_is_named_and_nothing_is_written(
    project: Path, island: Island, tmp_path: Path
) -> None:
    vendor = tmp_path / "vendor"
    assert cogn("vendor", vendor, project, cache=Cache().root).returncode == 0
    (wheel,) = vendor.glob("wheels/pillow-*.whl")
    content = wheel.read_bytes()
    wheel.unlink()
    wheel.write_bytes(content[:-1])
    copy = carried(project, tmp_path)
    out = tmp_path / "out"
    ended = island.run("assemble", copy, "--offline", "--vendor", vendor, "-o", f"oci:{out}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"error: `{wheel}` is not what the lock names: expected sha256 " in ended.stderr
    assert not (out / "index.json").exists()


def test_an_interpreter_of_its_own_comes_along(
    locked: dict[str, Path], island: Island, tmp_path: Path
) -> None:
    build = make_build(tmp_path / "mirror")
    project = tmp_path / "hello"
    shutil.copytree(locked["hello"], project)
    (project / "cogn.toml").write_text('python = "standalone"\n')
    (project / "cog.yaml").write_text(
        f"build:\n  python_version: '{MINOR}'\n  system_packages: [{', '.join(NEEDED)}]\n"
        "predict: predict.py:Predictor\n"
    )
    shared, vendor = Cache().root, tmp_path / "vendor"

    def online(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in build.environment.items():
                patch.setenv(name, value)
            return cogn(*arguments, cache=shared)

    for command in (("lock", project), ("vendor", vendor, project)):
        ended = online(*command)
        assert ended.returncode == 0, ended.stderr
    copy = carried(project, tmp_path)
    expected = digest_of(online("assemble", project))
    assert [each.name for each in (vendor / "python").iterdir()] == [build.file]
    assert digest_of(island.run("assemble", copy, "--offline", "--vendor", vendor)) == expected


class Team:
    """A project on an image of a registry, and a cache of its own."""

    def __init__(self, directory: Path, registry: FakeRegistry) -> None:
        self.directory = directory
        self.cache = directory.parent / "cache"
        (directory / "cogn.toml").write_text(f'base = "{registry.host}/team/base:1"\n')
        assert cogn("lock", directory, cache=self.cache).returncode == 0


@pytest.fixture
def team(locked: dict[str, Path], tmp_path: Path) -> Iterator[Team]:
    directory = tmp_path / "team" / "hello"
    shutil.copytree(locked["hello"], directory)
    environment = lockfiles.read(directory / "cogn.lock").environments[AMD64]
    base: BaseImage = real_base(environment)
    with FakeRegistry() as registry:
        base.put(registry)
        yield Team(directory, registry)


def test_a_base_that_is_an_image_comes_along(team: Team, island: Island, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    assert cogn("vendor", vendor, team.directory, cache=team.cache).returncode == 0
    copy = carried(team.directory, tmp_path)
    out = tmp_path / "out"
    expected = digest_of(cogn("assemble", team.directory, cache=team.cache))
    said = island.run("assemble", copy, "--offline").stderr
    base = lockfiles.read(copy / "cogn.lock").environments[AMD64].base
    assert isinstance(base, lockfiles.ImageBase)
    for number in (1, 2):
        assert f"  layer {number}/2 of `{base.reference}`\n" in said
    arguments = ("--offline", "--vendor", vendor, "-o", f"oci:{out}")
    assert digest_of(island.run("assemble", copy, *arguments)) == expected
    for layer in base.layers:
        assert (out / "blobs" / layer.digest.replace(":", "/")).stat().st_size == layer.size
