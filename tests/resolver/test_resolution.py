"""From a project to its lock: what is asked anew, what stays, what the lock says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from cogn import lockfiles
from cogn.lockfiles import (
    Archive,
    Asked,
    Deb,
    DebianBase,
    DistributionPython,
    Environment,
    Lock,
    Platform,
    Seal,
)
from cogn.report import CognError, Reporter
from cogn.resolver import Project, RequirementsError, resolution, resolve
from cogn.resolver.composition import System, SystemRequest
from cogn.store import Cache, UvError
from cogn.store.debian import Mirrors
from cogn.store.http import Fetcher
from cogn.store.runtime import RuntimeWheel, runtime_wheel
from cogn.store.uv import Target, Uv
from support.indexes import Index
from support.locks import AMD64, ARM64, make_deb
from support.reports import Recorder
from support.wheels import make_wheel

BASE = DebianBase(
    release="trixie",
    reason="for tests",
    archives=(
        Archive(
            name="debian",
            suite="trixie",
            components=("main",),
            snapshot="20260101T000000Z",
            release="0" * 64,
        ),
    ),
    debs=(
        Deb(
            name="base-files",
            version="13",
            architecture="amd64",
            archive="debian",
            path="pool/main/b/base-files/base-files_13_amd64.deb",
            sha256="0" * 64,
            size=1,
        ),
    ),
)
PYTHON = DistributionPython(version="3.13.5", reason="for tests", debs=())
SEAL = Seal(
    layer="base",
    recipe=f"sha256:{'1' * 64}",
    diff_id=f"sha256:{'2' * 64}",
    digest=f"sha256:{'3' * 64}",
    size=1,
)


def runtime(version: str = "0.1.0") -> RuntimeWheel:
    data = f"the runtime's wheel, {version}".encode()
    return RuntimeWheel(
        name="cogn-runtime",
        version=version,
        file=f"cogn_runtime-{version}-py3-none-any.whl",
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        requires=("front>=1",),
    )


class House:
    """A project, the one directory of wheels that uv knows there, and a cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.wheels = directory / "wheels"
        self.wheels.mkdir()
        self.cache = Cache(directory / "cache")
        self.recorder = Recorder()
        (directory / "uv.toml").write_text('no-index = true\nfind-links = ["wheels"]\n')
        (directory / "cog.yaml").write_text(
            "run: predict.py:Predictor\nbuild: {python_requirements: requirements.txt}\n"
        )
        self.require("leaf")
        for name in ("leaf", "front", "pip"):
            self.publish(name, "1.0")

    def require(self, text: str) -> None:
        (self.directory / "requirements.txt").write_text(text + "\n")

    def publish(self, name: str, version: str, *requires: str) -> str:
        path = make_wheel(self.wheels, {}, name=name, version=version, requires=requires)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def lock(
        self,
        previous: Lock | None = None,
        *,
        upgrade: bool = False,
        only: str = "",
        exclude_newer: str | None = None,
        platforms: Sequence[Platform] = (AMD64,),
    ) -> Lock:
        async def run() -> Lock:
            async with Fetcher.open(self.cache) as fetcher:
                return await resolve(
                    Project.load(self.directory),
                    platforms=platforms,
                    previous=previous,
                    upgrade=upgrade,
                    upgrade_only=frozenset(only.split()),
                    exclude_newer=exclude_newer,
                    fetcher=fetcher,
                    mirrors=Mirrors({}),
                    reporter=self.recorder,
                )

        return anyio.run(run)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose Debian archive is out of the question and whose runtime is a small one."""

    async def lock_system(request: SystemRequest, **arguments: object) -> System:
        base = replace(BASE, debs=()) if arguments["platform"] == ARM64 else BASE
        packages = tuple(make_deb(each.name) for each in request.packages)
        return System(base, PYTHON, packages, request.asked)

    monkeypatch.setattr(resolution, "lock_system", lock_system)
    monkeypatch.setattr(resolution, "runtime_wheel", runtime)
    return House(tmp_path)


def locked(lock: Lock) -> Environment:
    """The environment of a lock for amd64."""
    return lock.environments[AMD64]


def pins(lock: Lock, platform: Platform = AMD64) -> tuple[str, str]:
    """The model's and the server's wheels as text."""
    environment = lock.environments[platform]
    model, server = (
        " ".join(f"{wheel.name}=={wheel.version}" for wheel in wheels)
        for wheels in (environment.wheels, environment.server)
    )
    return model, server


def test_system_packages_and_what_stays_unrun_are_in_the_lock(house: House) -> None:
    (house.directory / "cog.yaml").write_text(
        "run: predict.py:Predictor\nbuild: {system_packages: [git, ffmpeg]}\n"
    )
    (house.directory / "cogn.toml").write_text('recommends = true\nallow_unrun = ["zz", "git"]\n')
    environment = locked(house.lock())
    assert [deb.name for deb in environment.system] == ["ffmpeg", "git"]
    assert environment.asked == Asked(packages=("ffmpeg", "git"), recommends=True)
    assert environment.unrun == ("git", "zz")


def test_bytecode_is_left_out_where_the_settings_say_so(house: House) -> None:
    before = house.lock()
    (house.directory / "cogn.toml").write_text("bytecode = false\n")
    assert house.lock(before) == replace(before, bytecode=False)


def test_a_lock_has_the_model_and_apart_from_it_the_server(house: House) -> None:
    lock = house.lock()
    assert pins(lock) == ("leaf==1.0", "cogn-runtime==0.1.0 front==1.0")
    environment = locked(lock)
    assert (environment.base, environment.python) == (BASE, PYTHON)
    assert (environment.cuda, environment.seals) == (None, ())
    (wheel,) = environment.wheels
    assert wheel.size == (house.wheels / wheel.file).stat().st_size
    assert house.cache.find(runtime().sha256)
    assert lockfiles.loads(lockfiles.dumps(lock)) == lock


def test_an_unchanged_project_is_locked_again_without_uv(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = house.lock()
    house.publish("leaf", "2.0")
    monkeypatch.setattr(Uv, "resolve", None)
    assert house.lock(lock) == lock


def test_a_change_of_requirements_keeps_the_versions_that_still_fit(house: House) -> None:
    lock = house.lock()
    for name in ("leaf", "front", "other"):
        house.publish(name, "2.0")
    house.require("leaf\nother")
    assert pins(house.lock(lock)) == (
        "leaf==1.0 other==2.0",
        "cogn-runtime==0.1.0 front==1.0",
    )


def test_an_upgrade_takes_the_newest_versions(house: House) -> None:
    lock = house.lock()
    house.publish("leaf", "2.0")
    house.publish("front", "2.0")
    upgraded = house.lock(lock, upgrade=True)
    assert pins(upgraded) == ("leaf==2.0", "cogn-runtime==0.1.0 front==2.0")


def test_an_upgrade_of_one_package_moves_that_one_alone(house: House) -> None:
    house.require("leaf\nother")
    house.publish("other", "1.0")
    lock = house.lock().sealed({AMD64: (SEAL,)})
    for name in ("leaf", "other", "front", "pip"):
        house.publish(name, "2.0")
    upgraded = house.lock(lock, only="other")
    assert pins(upgraded) == ("leaf==1.0 other==2.0", "cogn-runtime==0.1.0 front==1.0")
    assert pins(house.lock(lock, only="front leaf")) == (
        "leaf==2.0 other==1.0",
        "cogn-runtime==0.1.0 front==2.0",
    )
    assert locked(upgraded).tools == locked(lock).tools


def test_an_upgrade_of_a_package_that_is_not_there_is_refused(house: House) -> None:
    lock = house.lock()
    with pytest.raises(RequirementsError) as caught:
        house.lock(lock, only="leav")
    assert caught.value.message == "`leav` is not among the Python packages of the lock"
    assert caught.value.hint == "did you mean `leaf`?"


def test_packages_that_came_after_a_day_do_not_count(house: House, tmp_path: Path) -> None:
    days = {"1.0": "2026-01-10", "2.0": "2026-02-10", "3.0": "2026-03-10"}
    for name in ("leaf", "front", "pip"):
        (tmp_path / "index" / name).mkdir(parents=True)
        for version, day in days.items():
            wheel = make_wheel(tmp_path / "index" / name, {}, name=name, version=version)
            when = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
            os.utime(wheel, (when, when))
    with Index(tmp_path / "index") as index:
        settings = f'no-cache = true\n[[index]]\nurl = "{index.url}"\ndefault = true\n'
        (house.directory / "uv.toml").write_text(settings)
        assert pins(house.lock(exclude_newer="2026-03-01T00:00:00Z"))[0] == "leaf==2.0"
        lock = house.lock()
        assert pins(lock)[0] == "leaf==3.0"
        older = house.lock(lock, exclude_newer="2026-02-01T00:00:00Z")
        assert pins(older) == ("leaf==1.0", "cogn-runtime==0.1.0 front==1.0")


def test_a_new_runtime_resolves_the_server_again_and_keeps_versions(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = house.lock()
    house.publish("leaf", "2.0")
    house.publish("front", "2.0")
    monkeypatch.setattr(resolution, "runtime_wheel", lambda: runtime("0.2.0"))
    assert pins(house.lock(lock)) == ("leaf==1.0", "cogn-runtime==0.2.0 front==1.0")


def test_seals_are_carried_over(house: House) -> None:
    sealed = house.lock().sealed({AMD64: (SEAL,)})
    assert locked(house.lock(sealed)).seals == (SEAL,)
    assert locked(house.lock(sealed, upgrade=True)).seals == (SEAL,)


def test_a_new_platform_is_resolved_with_the_versions_of_the_others(house: House) -> None:
    before = house.lock().sealed({AMD64: (SEAL,)})
    house.publish("leaf", "2.0")
    both = house.lock(before, platforms=(AMD64, ARM64))
    assert both.only(AMD64) == before
    assert pins(both, ARM64) == pins(before)
    assert both.environments[ARM64].base.debs == ()
    assert both.environments[ARM64].seals == ()


def test_the_platforms_are_exactly_those_that_are_asked_for(house: House) -> None:
    both = house.lock(platforms=(AMD64, ARM64))
    assert house.lock(both, platforms=(ARM64,)) == both.only(ARM64)


def test_warnings_about_several_platforms_name_them(house: House) -> None:
    house.publish("cuda_toolkit", "12.8")
    house.require("cuda-toolkit")
    house.lock()
    house.lock(platforms=(AMD64, ARM64))
    alone, *several = [warning for warning, _ in house.recorder.warnings]
    assert alone.endswith("the model uses no GPU, and its packages bring 0.0 GB of CUDA")
    assert sorted(several) == [f"{AMD64}: {alone}", f"{ARM64}: {alone}"]


def test_errors_of_one_of_several_platforms_name_it(house: House) -> None:
    (house.directory / "uv.toml").write_text(
        'no-index = true\nfind-links = ["wheels", "fast"]\n', "utf-8"
    )
    fast = house.directory / "fast"
    fast.mkdir()
    make_wheel(fast, {}, name="fast", version="1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    house.require("fast")
    assert pins(house.lock())[0] == "fast==1.0"
    with pytest.raises(UvError) as caught:
        house.lock(platforms=(AMD64, ARM64))
    assert caught.value.message.startswith("linux/arm64: ")
    with pytest.raises(UvError) as caught:
        house.lock(platforms=(ARM64,))
    assert "linux/arm64" not in caught.value.message


def test_a_lock_is_stale_when_the_inputs_have_changed(house: House) -> None:
    lock = house.lock()
    assert not Project.load(house.directory).brief.is_stale(lock)
    house.require("leaf<2")
    assert Project.load(house.directory).brief.is_stale(lock)


def test_cog_itself_is_left_out_even_when_a_package_requires_it(house: House) -> None:
    house.publish("cog", "0.9")
    house.publish("leaf", "1.1", "cog", "coglet")
    assert pins(house.lock())[0] == "leaf==1.1"


def test_a_model_without_requirements_has_no_wheels(house: House) -> None:
    house.require("# none")
    assert locked(house.lock()).wheels == ()


def test_hashes_of_the_requirements_must_be_those_of_the_wheels(house: House) -> None:
    needed = house.publish("needed", "1.0")
    right = house.publish("leaf", "1.0", "needed")
    house.require(f"leaf==1.0 --hash=sha256:{right}\nneeded --hash=sha256:{needed}")
    assert pins(house.lock())[0] == "leaf==1.0 needed==1.0"
    house.require(f"leaf==1.0 --hash=sha256:{'0' * 64}")
    with pytest.raises(CognError) as caught:
        house.lock()
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (
            "no hash in the requirements is that of leaf-1.0-py3-none-any.whl: "
            f"it is sha256:{right}",
            None,
        ),
        (
            "the requirements name hashes, and none for needed 1.0",
            f"add `needed==1.0 --hash=sha256:{needed}`",
        ),
    ]
    assert all(isinstance(problem, RequirementsError) for problem in caught.value.problems)


def test_an_index_without_pip_is_told_what_it_is_for(house: House) -> None:
    (house.wheels / "pip-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UvError, match="pip was not found in the provided") as error:
        house.lock()
    assert error.value.message.endswith(
        "\n  an image gets pip for who works in it, apart from the model"
    )


def test_a_failure_of_one_resolution_is_raised_as_itself(house: House) -> None:
    house.require("leaf>=5")
    with pytest.raises(UvError, match="you require leaf>=5"):
        house.lock()


# With the real index and the real archive.

Write = Callable[[str], Project]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a cog.yaml with these lines under ``build``; returns the project."""

    def write(build: str) -> Project:
        (tmp_path / "cog.yaml").write_text(f"run: predict.py:Predictor\nbuild: {{{build}}}\n")
        return Project.load(tmp_path)

    return write


async def lock_really(project: Project, cache: Cache, previous: Lock | None = None) -> Lock:
    async with Fetcher.open(cache) as fetcher:
        return await resolve(
            project,
            platforms=(AMD64,),
            previous=previous,
            upgrade=False,
            fetcher=fetcher,
            mirrors=Mirrors.find(),
            reporter=Reporter(),
        )


@pytest.mark.network
def test_a_project_is_locked_and_locked_again_to_the_same_bytes(write: Write) -> None:
    project = write("python_packages: [numpy, pillow]")
    lock = anyio.run(lock_really, project, Cache())
    environment = locked(lock)
    assert [wheel.name for wheel in environment.wheels] == ["numpy", "pillow"]
    server = {wheel.name for wheel in environment.server}
    assert {"anyio", "cogn-runtime", "msgspec", "uvicorn"} <= server
    assert all(wheel.size > 1000 for wheel in environment.wheels + environment.server)
    text = lockfiles.dumps(lock)
    assert "://" not in text
    read_back = lockfiles.loads(text)
    assert lockfiles.dumps(anyio.run(lock_really, project, Cache(), read_back)) == text


@pytest.mark.network
@pytest.mark.parametrize("platform", [AMD64, ARM64])
def test_the_server_has_wheels_for_every_platform(platform: str, tmp_path: Path) -> None:
    target = Target(python="3.13", platform=platform)
    found = anyio.run(Uv(tmp_path).resolve, runtime_wheel().requires, target)
    assert "uvicorn" in {wheel.name for wheel in found}
