"""Requirements of every kind, from the file to the wheels, here and on another machine."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
import zipfile
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from cogn.lockfiles import BuiltFrom, Wheel
from cogn.report import CognError
from cogn.resolver import Project, RequirementsError
from cogn.resolver.wheels import lock_model_wheels
from cogn.store import BuildError, Cache, DownloadError, HashError, UvError
from cogn.store.http import Fetcher
from cogn.store.uv import Target, Uv
from cogn.store.wheels import fetch_wheels
from support.indexes import Index, make_repository, make_sdist, source_files
from support.reports import Recorder
from support.wheels import make_wheel

TARGET = Target(python="3.13", platform="linux/amd64")
HINT = (
    "require a version of it that has wheels; or build a wheel of it and name its directory with "
    "`--find-links` in the requirements; or write `build_sdists = true` in cogn.toml, which runs "
    "its build script on this machine"
)


class House:
    """A project, a place for packages beside it, and the cache of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "project"
        self.directory.mkdir()
        self.packages = root / "packages"
        self.packages.mkdir()
        self.cache = Cache(root / "cache")
        self.recorder = Recorder()
        self.name("requirements.txt")

    def name(self, file: str) -> None:
        self.write("cog.yaml", f"run: run.py:run\nbuild: {{python_requirements: {file}}}\n")

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def require(self, *lines: str) -> None:
        self.write("requirements.txt", "\n".join([*lines, ""]))

    def lock(self, previous: tuple[Wheel, ...] = (), target: Target = TARGET) -> tuple[Wheel, ...]:
        async def run() -> tuple[Wheel, ...]:
            project = Project.load(self.directory, self.recorder)
            async with Fetcher.open(self.cache) as fetcher:
                return await lock_model_wheels(
                    project.requirements,
                    target,
                    previous=previous,
                    uv=Uv(project.directory, self.recorder, origins=project.requirements.origins),
                    fetcher=fetcher,
                    reporter=self.recorder,
                )

        return anyio.run(run)

    def fetch(self, wheels: tuple[Wheel, ...]) -> list[str]:
        """Fetch the locked wheels on a machine that has none of them; return their hashes."""
        self.cache = Cache(self.root / "elsewhere")

        async def run() -> tuple[Path, ...]:
            brief = Project.load(self.directory).brief
            async with Fetcher.open(self.cache) as fetcher:
                return await fetch_wheels(
                    wheels,
                    target=TARGET,
                    uv=Uv(self.directory, origins=brief.origins),
                    fetcher=fetcher,
                    reporter=self.recorder,
                )

        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in anyio.run(run)]


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of uv's own for these tests, which asks this machine's Pythons once."""
    return tmp_path_factory.mktemp("uv")


@pytest.fixture
def house(tmp_path: Path, uv_cache: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    return House(tmp_path)


def pins(wheels: tuple[Wheel, ...]) -> list[str]:
    return [f"{wheel.name}=={wheel.version}" for wheel in wheels]


def hashes(wheels: tuple[Wheel, ...]) -> list[str]:
    return [wheel.sha256 for wheel in wheels]


def indexed(house: House, name: str, version: str = "1.0") -> Path:
    (house.packages / name).mkdir(exist_ok=True)
    return make_wheel(house.packages / name, {}, name=name, version=version)


def test_wheels_of_the_project_are_found_with_find_links_and_no_index(house: House) -> None:
    (house.directory / "wheels").mkdir()
    make_wheel(house.directory / "wheels", {}, name="leaf")
    house.require("--no-index", "--find-links wheels", "leaf")
    wheels = house.lock()
    assert pins(wheels) == ["leaf==1.0"]
    assert house.fetch(wheels) == hashes(wheels)


def test_the_index_of_the_requirements_is_asked_with_the_password_of_the_environment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(house, "leaf")
    with Index(house.packages, user="me:s3cret") as index:
        house.require(f"--index-url http://me:${{INDEX_PASSWORD}}@{index.host}/", "leaf")
        with pytest.raises(UvError) as caught:
            house.lock()
        assert caught.value.message == (
            "the environment variable `INDEX_PASSWORD`, which the requirements name, is not set"
        )
        monkeypatch.setenv("INDEX_PASSWORD", "s3cret")
        wheels = house.lock()
        assert pins(wheels) == ["leaf==1.0"]
        assert house.fetch(wheels) == hashes(wheels)
        notes = b"".join(path.read_bytes() for path in house.root.rglob("notes/*/*"))
        assert b"s3cret" not in notes
        house.require(f"--index-url http://me:${{INDEX_PASSWORD}}@{index.host}/", "leaf>3")
        with pytest.raises(UvError) as caught:
            house.lock()
        assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_a_private_index_is_asked_with_the_credentials_that_uv_has(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    indexed(house, "leaf")
    house.require("leaf")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Index(house.packages, user="me:s3cret") as index:
        house.write(
            "uv.toml",
            f'[[index]]\nname = "corp"\nurl = "{index.url}"\ndefault = true\n',
        )
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
        wheels = house.lock()
        assert house.fetch(wheels) == hashes(wheels)
        (tmp_path / "netrc").unlink()
        house.cache = Cache(tmp_path / "third")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        with pytest.raises(UvError, match="leaf was not found"):
            house.lock()
        monkeypatch.setenv("UV_INDEX_CORP_USERNAME", "me")
        monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", "s3cret")
        assert house.lock() == wheels


def test_a_server_that_turns_cogn_away_is_an_error_that_says_where_credentials_go(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = indexed(house, "far")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    with Index(house.packages, user="me:s3cret") as index:
        house.require(f"far @ {index.url}far/{far.name}")
        wheels = house.lock()
        (tmp_path / "netrc").unlink()
        with pytest.raises(DownloadError) as caught:
            house.fetch(wheels)
    assert "the server answered 401 Unauthorized" in caught.value.message
    assert caught.value.hint == (
        "keep the credentials in a netrc file, with `uv auth login`, or in "
        "`UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`"
    )


def test_wheels_by_url_and_by_path_are_pinned_and_found_again(house: House) -> None:
    far = indexed(house, "far")
    make_wheel(house.directory, {}, name="near", requires=("far",))
    with Index(house.packages) as index:
        house.require(
            f"far @ {index.url}far/{far.name}",
            "./near-1.0-py3-none-any.whl",
            f"other @ {index.url}other.whl; sys_platform == 'win32'",
        )
        house.write("uv.toml", "no-index = true\n")
        wheels = house.lock()
        assert pins(wheels) == ["far==1.0", "near==1.0"]
        assert house.fetch(wheels) == hashes(wheels)


def test_a_url_takes_its_password_from_the_environment_and_no_note_or_message_has_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = indexed(house, "far")
    monkeypatch.setenv("TOKEN", "s3cret")
    with Index(house.packages, user="me:s3cret") as index:
        house.require(f"far @ http://me:${{TOKEN}}@{index.host}/far/{far.name}")
        house.write("uv.toml", "no-index = true\n")
        wheels = house.lock()
        assert house.fetch(wheels) == hashes(wheels)
        far.unlink()
        with pytest.raises(DownloadError) as gone:
            house.fetch((replace(wheels[0], sha256="0" * 64),))
        monkeypatch.setenv("UV_CACHE_DIR", str(house.root / "uv"))
        with pytest.raises(UvError) as refused:
            house.lock()
    for error in (gone.value, refused.value):
        assert "s3cret" not in f"{error} {error.hint}"
    assert not any(b"s3cret" in path.read_bytes() for path in house.root.rglob("notes/*/*"))


def test_a_local_wheel_that_was_changed_makes_the_lock_stale(house: House) -> None:
    make_wheel(house.directory, {}, name="near")
    house.require("./near-1.0-py3-none-any.whl")
    before, wheels = Project.load(house.directory).inputs_digest, house.lock()
    make_wheel(house.directory, {"new.py": ""}, name="near")
    assert Project.load(house.directory).inputs_digest != before
    with pytest.raises(HashError):
        house.fetch(wheels)


def test_a_wheel_for_another_machine_is_refused(house: House) -> None:
    wheel = make_wheel(house.directory, {}, name="near", tag="cp313-cp313-win_amd64")
    house.require(f"./{wheel.name}")
    with pytest.raises(UvError) as caught:
        house.lock()
    assert "near-1.0-cp313-cp313-win_amd64.whl" in caught.value.message or (
        "platform" in caught.value.message
    )


def test_hashes_are_compared_for_direct_references_too(house: House) -> None:
    wheel = make_wheel(house.directory, {}, name="near")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    house.require(f"./{wheel.name}#sha256={right}")
    assert hashes(house.lock()) == [right]
    house.require(f"./{wheel.name} --hash=sha256:{'0' * 64}")
    with pytest.raises(CognError) as caught:
        house.lock()
    assert caught.value.message == (
        f"no hash in the requirements is that of {wheel.name}: it is sha256:{right}"
    )


def test_pre_releases_are_taken_where_the_requirements_say_so(house: House) -> None:
    for version in ("1.0", "2.0rc1"):
        indexed(house, "leaf", version)
    with Index(house.packages) as index:
        house.require(f"-i {index.url}", "leaf")
        assert pins(house.lock()) == ["leaf==1.0"]
        house.require(f"-i {index.url}", "--pre", "leaf")
        assert pins(house.lock()) == ["leaf==2.0rc1"]


def build_house(house: House, *lines: str, **changes: str) -> None:
    """Let the project build sources, of which there is one, named ``pkg``."""
    house.write("uv.toml", 'no-index = true\nfind-links = ["../packages"]\n')
    house.write("cogn.toml", "build_sdists = true\n")
    make_sdist(house.packages, "pkg", requires=("leaf",), **changes)
    make_wheel(house.packages, {}, name="leaf")
    house.require(*(lines or ("pkg",)))


def test_a_package_with_sources_alone_is_refused_by_name_with_three_ways_on(house: House) -> None:
    build_house(house)
    house.write("cogn.toml", "build_sdists = false\n")
    with pytest.raises(UvError) as caught:
        house.lock()
    assert caught.value.message.startswith(
        "no wheel fits of `pkg`, only sources, which are not built\n"
    )
    assert caught.value.hint == HINT


def test_a_source_is_built_where_the_project_allows_it_and_built_again_elsewhere(
    house: House,
) -> None:
    build_house(house)
    wheels = house.lock()
    assert pins(wheels) == ["leaf==1.0", "pkg==1.0"]
    sdist = (house.packages / "pkg-1.0.tar.gz").read_bytes()
    assert wheels[0].built is None
    assert wheels[1].built == BuiltFrom(
        file="pkg-1.0.tar.gz", sha256=hashlib.sha256(sdist).hexdigest()
    )
    note = "Building pkg-1.0.tar.gz: this runs code of the package on this machine"
    assert house.recorder.notes == [note]
    assert house.lock(wheels) == wheels
    assert house.recorder.notes == [note]
    assert house.fetch(wheels) == hashes(wheels)
    assert house.recorder.notes == [note, note]


def test_what_was_built_stays_in_the_lock_as_long_as_its_source_does(house: House) -> None:
    build_house(house)
    wheels = house.lock()
    house.cache = Cache(house.root / "elsewhere")
    house.require("pkg>=1")
    assert house.lock(wheels) == wheels
    assert len(house.recorder.notes) == 1


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_a_package_in_a_directory_of_an_archive_is_built(kind: str, house: House) -> None:
    build_house(house)
    library = house.root / "all-1.0" / "library"
    library.mkdir(parents=True)
    for name, text in source_files("inner").items():
        (library / name).write_text(text)
    name = shutil.make_archive(str(house.packages / "main"), kind, house.root, "all-1.0")
    with Index(house.packages) as index:
        house.require(f"inner @ {index.url}{Path(name).name}#subdirectory=library")
        wheels = house.lock()
        assert pins(wheels) == ["inner==1.0"]
        assert house.fetch(wheels) == hashes(wheels)
        house.require(f"inner @ {index.url}{Path(name).name}#subdirectory=../..")
        with pytest.raises(CognError):
            house.lock()


def test_an_archive_of_any_name_is_built(house: House) -> None:
    build_house(house)
    shutil.move(house.packages / "pkg-1.0.tar.gz", house.directory / "main.tar.gz")
    house.require("pkg @ ./main.tar.gz")
    wheels = house.lock()
    assert pins(wheels) == ["leaf==1.0", "pkg==1.0"]
    assert house.fetch(wheels) == hashes(wheels)


def test_a_build_that_comes_out_otherwise_is_refused(house: House) -> None:
    build_house(house, code='" + repr(time.time_ns()) + "')
    wheels = house.lock()
    with pytest.raises(BuildError) as caught:
        house.fetch(wheels)
    assert caught.value.message.startswith(
        "pkg-1.0-py3-none-any.whl was built from pkg-1.0.tar.gz again and came out otherwise: "
        f"expected sha256 {wheels[1].sha256}, got "
    )
    assert caught.value.hint == (
        "bring the wheel that is locked: push from the machine that has it, so that its layer is "
        "in the registry, or carry it here with `cogn vendor`; or run `cogn lock --upgrade=pkg`, "
        "to lock what comes out now"
    )


def test_a_source_that_was_replaced_is_refused(house: House) -> None:
    build_house(house)
    wheels = house.lock()
    make_sdist(house.packages, "pkg", requires=("leaf",), code="new = 1")
    with pytest.raises(BuildError, match="has another SHA-256 hash than the one"):
        house.fetch(wheels)


def test_a_commit_of_a_repository_is_built_and_built_again(house: House) -> None:
    build_house(house)
    url, commit = make_repository(house.root, "repo_pkg", requires=("leaf",))
    house.require(f"repo-pkg @ git+{url}@{commit}")
    wheels = house.lock()
    assert pins(wheels) == ["leaf==1.0", "repo-pkg==1.0"]
    assert wheels[1].built == BuiltFrom(commit=commit)
    assert house.fetch(wheels) == hashes(wheels)


def test_a_repository_that_is_gone_is_said_to_be(house: House) -> None:
    build_house(house)
    url, commit = make_repository(house.root, "repo_pkg")
    house.require(f"repo-pkg @ git+{url}@{commit}")
    wheels = house.lock()
    shutil.rmtree(house.root / "repo_pkg")
    with pytest.raises(BuildError, match=f"repo-pkg at commit {commit[:12]} cannot be had"):
        house.fetch(wheels)


def test_an_archive_of_the_project_is_built(house: House) -> None:
    build_house(house)
    shutil.move(house.packages / "pkg-1.0.tar.gz", house.directory)
    house.require("./pkg-1.0.tar.gz")
    wheels = house.lock()
    assert pins(wheels) == ["leaf==1.0", "pkg==1.0"]
    assert house.fetch(wheels) == hashes(wheels)


@pytest.mark.parametrize("where", ["uv.toml", "requirements.txt"])
def test_what_a_build_needs_comes_from_the_same_places(where: str, house: House) -> None:
    build_house(house, needs="tool", code='" + __import__("tool").CODE + "')
    make_wheel(house.packages, {"tool.py": "CODE = 'made_with_it = 1'"}, name="tool")
    if where == "requirements.txt":
        house.write("uv.toml", "no-index = true\n")
        shutil.copytree(house.packages, house.directory / "wheels")
        house.require("--find-links wheels", "pkg")
    (wheel,) = (each for each in house.lock() if each.built)
    with zipfile.ZipFile(house.cache.path(wheel.sha256)) as archive:
        assert archive.read("pkg.py") == b"made_with_it = 1"


def test_a_build_that_fails_shows_what_it_said(house: House) -> None:
    build_house(house, code='" + 1 / 0 + "')
    with pytest.raises(BuildError) as caught:
        house.lock()
    assert caught.value.message.startswith("pkg-1.0.tar.gz cannot be built\n")
    assert "ZeroDivisionError" in caught.value.message


def test_a_build_for_another_machine_is_refused(house: House) -> None:
    build_house(house, tag="py3-none-macosx_11_0_arm64")
    with pytest.raises(BuildError) as caught:
        house.lock()
    assert caught.value.message == (
        "pkg-1.0-py3-none-macosx_11_0_arm64.whl does not fit linux/amd64 with Python 3.13"
    )


def test_a_package_is_built_although_it_has_wheels_where_the_requirements_say_so(
    house: House,
) -> None:
    build_house(house, "--no-binary pkg", "pkg")
    make_wheel(house.packages, {}, name="pkg")
    assert [wheel.built is not None for wheel in house.lock() if wheel.name == "pkg"] == [True]
    house.require("--only-binary :all:", "pkg")
    assert [wheel.built for wheel in house.lock()] == [None]


PYLOCK = """
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "leaf"
version = "1.0"
[[packages.wheels]]
path = "wheels/{file}"
hashes = {{ sha256 = "{sha256}" }}
[[packages.wheels]]
url = "http://127.0.0.1:9/leaf-1.0-cp313-cp313-win_amd64.whl"
hashes = {{ sha256 = "{other}" }}
[[packages]]
name = "windows"
version = "1.0"
marker = "sys_platform == 'win32'"
[[packages.wheels]]
url = "http://127.0.0.1:9/windows-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{other}" }}
[[packages]]
name = "cog"
version = "0.9"
[[packages.wheels]]
url = "http://127.0.0.1:9/cog-0.9-py3-none-any.whl"
hashes = {{ sha256 = "{other}" }}
"""


def test_a_pylock_is_taken_as_it_is(house: House) -> None:
    (house.directory / "wheels").mkdir()
    wheel = make_wheel(house.directory / "wheels", {}, name="leaf")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    house.write("pylock.toml", PYLOCK.format(file=wheel.name, sha256=sha256, other="0" * 64))
    house.name("pylock.toml")
    requirements = Project.load(house.directory).requirements
    assert requirements.stated == ("leaf==1.0", 'windows==1.0 ; sys_platform == "win32"')
    wheels = house.lock()
    assert hashes(wheels) == [sha256]
    assert house.recorder.notes == [
        "pylock.toml, `cog`: `cog` is left out: the image has cogn's own `cog`"
    ]
    assert house.fetch(wheels) == [sha256]
    before = Project.load(house.directory).inputs_digest
    house.write("pylock.toml", PYLOCK.format(file=wheel.name, sha256="1" * 64, other="0" * 64))
    assert Project.load(house.directory).inputs_digest != before


def test_a_source_in_a_pylock_is_built_only_where_that_is_allowed(house: House) -> None:
    build_house(house)
    shutil.move(house.packages / "pkg-1.0.tar.gz", house.directory)
    sha256 = hashlib.sha256((house.directory / "pkg-1.0.tar.gz").read_bytes()).hexdigest()
    entry = f'sdist = {{ path = "pkg-1.0.tar.gz", hashes = {{ sha256 = "{sha256}" }} }}'
    house.write(
        "pylock.toml",
        f'lock-version = "1.0"\ncreated-by = "t"\n[[packages]]\nname = "pkg"\n'
        f'version = "1.0"\n{entry}\n',
    )
    house.name("pylock.toml")
    wheels = house.lock()
    assert house.fetch(wheels) == hashes(wheels)
    house.write("cogn.toml", "build_sdists = false\n")
    with pytest.raises(RequirementsError) as caught:
        house.lock()
    assert caught.value.message == (
        "`pkg` has no wheel that fits, only pkg-1.0.tar.gz, which is not built"
    )
    assert caught.value.hint == HINT


def test_a_lock_of_uv_is_taken_as_it_is_and_nothing_is_written(house: House) -> None:
    for version in ("1.0", "2.0"):
        indexed(house, "leaf", version)
    indexed(house, "tool")
    with Index(house.packages) as index:
        house.write(
            "pyproject.toml",
            '[project]\nname = "model"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["leaf<2"]\n[dependency-groups]\ndev = ["tool"]\n'
            f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n',
        )
        uv = Uv(house.directory)
        anyio.run(uv.run, ["lock"])
        content = tomllib.loads((house.directory / "uv.lock").read_text())
        assert {each["name"] for each in content["package"]} == {"leaf", "model", "tool"}
        before = sorted(path.name for path in house.directory.iterdir())
        house.name("uv.lock")
        wheels = house.lock()
        assert pins(wheels) == ["leaf==1.0"]
        assert house.fetch(wheels) == hashes(wheels)
        assert sorted(path.name for path in house.directory.iterdir()) == before
        house.name("pyproject.toml")
        assert house.lock() == wheels


def test_a_lock_of_uv_without_its_project_is_refused(house: House) -> None:
    house.write("uv.lock", "version = 1\n")
    house.name("uv.lock")
    with pytest.raises(RequirementsError) as caught:
        house.lock()
    assert str(caught.value).startswith("uv.lock: uv: ")


def test_a_wheel_by_url_that_is_gone_is_an_error_that_names_it(house: House) -> None:
    far = indexed(house, "far")
    with Index(house.packages) as index:
        house.require(f"far @ {index.url}far/{far.name}")
        house.write("uv.toml", "no-index = true\n")
        wheels = house.lock()
        far.unlink()
        with pytest.raises(DownloadError, match=r"cannot download far-1\.0-py3-none-any\.whl"):
            house.fetch(wheels)
