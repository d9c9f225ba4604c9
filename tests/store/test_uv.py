"""uv, asked for wheels of another platform than this machine's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from cogn.store import UvError
from cogn.store.uv import FoundWheel, Target, Uv
from support.reports import Recorder
from support.wheels import make_wheel

AMD64 = Target(python="3.13", platform="linux/amd64")
ARM64 = Target(python="3.13", platform="linux/arm64")
LINUX_AMD64 = "manylinux_2_28_x86_64"
LINUX_ARM64 = "manylinux_2_28_aarch64"

MakeWheel = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory whose own uv.toml knows one place for wheels: the directory beside it."""
    (tmp_path / "wheels").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.toml").write_text('no-index = true\nfind-links = ["../wheels"]\n')
    return project


@pytest.fixture
def wheel(tmp_path: Path, project: Path) -> MakeWheel:
    """Makes a wheel that uv finds: ``wheel("name", "1.0", tag=…, requires=…)``."""

    def make(name: str, version: str, *, tag: str = "py3-none-any", requires: str = "") -> Path:
        needs = tuple(requires.split(",")) if requires else ()
        directory = tmp_path / "wheels"
        return make_wheel(directory, {}, name=name, version=version, tag=tag, requires=needs)

    return make


def resolve(project: Path, *requirements: str, target: Target = AMD64, **options: object) -> str:
    """Resolve; return the found wheels' files, apart by spaces."""
    found = anyio.run(lambda: Uv(project).resolve(requirements, target, **options))  # type: ignore[arg-type]
    return " ".join(wheel.file for wheel in found)


def test_one_wheel_of_each_package_is_found_with_its_place_and_hash(
    project: Path, wheel: MakeWheel
) -> None:
    path = wheel("leaf", "1.0")
    wheel("root", "2.0", requires="leaf")
    found = anyio.run(Uv(project).resolve, ["root"], AMD64)
    assert [(each.name, each.version) for each in found] == [("leaf", "1.0"), ("root", "2.0")]
    assert isinstance(found[0], FoundWheel)
    assert found[0].url == path.as_uri()
    assert len(found[0].sha256) == 64


def test_the_wheel_fits_the_target_and_not_this_machine(project: Path, wheel: MakeWheel) -> None:
    for tag in (
        "cp311-cp311-" + LINUX_AMD64,
        "cp313-cp313-macosx_11_0_arm64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp313-cp313-" + LINUX_AMD64,
        "cp313-cp313-" + LINUX_ARM64,
        "cp313-cp313-musllinux_1_2_x86_64",
        "py3-none-any",
    ):
        wheel("compiled", "1.0", tag=tag)
    assert resolve(project, "compiled") == f"compiled-1.0-cp313-cp313-{LINUX_AMD64}.whl"
    arm64 = resolve(project, "compiled", target=ARM64)
    assert arm64 == f"compiled-1.0-cp313-cp313-{LINUX_ARM64}.whl"


def test_markers_are_those_of_the_target(project: Path, wheel: MakeWheel) -> None:
    for name in ("linux", "windows", "arm", "new"):
        wheel(name, "1.0")
    wheel(
        "root",
        "1.0",
        requires="linux; sys_platform == 'linux',windows; sys_platform == 'win32',"
        "arm; platform_machine == 'aarch64',new; python_version >= '3.13'",
    )
    assert resolve(project, "root").split() == [
        f"{name}-1.0-py3-none-any.whl" for name in ("linux", "new", "root")
    ]
    assert "arm-1.0" in resolve(project, "root", target=ARM64)


def test_versions_are_kept_where_they_still_fit(project: Path, wheel: MakeWheel) -> None:
    for version in ("1.0", "1.1", "2.0"):
        wheel("leaf", version)
    kept = resolve(project, "leaf", preferences={"leaf": "1.1", "gone": "1"})
    assert kept == "leaf-1.1-py3-none-any.whl"
    assert resolve(project, "leaf>=2", preferences={"leaf": "1.1"}) == "leaf-2.0-py3-none-any.whl"
    assert resolve(project, "leaf") == "leaf-2.0-py3-none-any.whl"


def test_constraints_bound_and_excluded_packages_are_left_out(
    project: Path, wheel: MakeWheel
) -> None:
    wheel("cog", "0.9")
    wheel("leaf", "1.0")
    wheel("leaf", "2.0")
    wheel("root", "1.0", requires="cog,leaf")
    files = resolve(project, "root", constraints=["leaf<2"], excludes=["cog"])
    assert files == "leaf-1.0-py3-none-any.whl root-1.0-py3-none-any.whl"


def test_nothing_required_is_nothing_found(project: Path) -> None:
    assert resolve(project) == ""


def test_a_conflict_is_told_in_the_words_of_uv(project: Path, wheel: MakeWheel) -> None:
    wheel("leaf", "1.0")
    with pytest.raises(UvError) as caught:
        resolve(project, "leaf>=2")
    assert caught.value.message == (
        "uv: No solution found when resolving dependencies\n"
        "  cause: Because only leaf==1.0 is available and you require leaf>=2, we can conclude "
        "that your requirements are unsatisfiable."
    )


def test_a_package_without_a_wheel_that_fits_is_refused_with_those_that_exist(
    project: Path, wheel: MakeWheel
) -> None:
    wheel("compiled", "1.0", tag="cp313-cp313-win_amd64")
    with pytest.raises(UvError) as caught:
        resolve(project, "compiled")
    assert "has no wheels with a matching platform tag" in caught.value.message
    assert caught.value.hint is not None
    assert "`win_amd64`" in caught.value.hint


def test_a_package_with_sources_alone_is_refused_and_not_built(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "wheels" / "old-1.0.tar.gz").write_bytes(b"never opened")
    with pytest.raises(UvError) as caught:
        resolve(project, "old")
    assert caught.value.message.startswith(
        "no wheel fits of `old`, only sources, which are not built\n"
        "  cause: Because old==1.0 has no usable wheels and only old==1.0 is available"
    )
    assert caught.value.hint == (
        "require a version of it that has wheels; or build a wheel of it and name its directory "
        "with `--find-links` in the requirements; or write `build_sdists = true` in cogn.toml, "
        "which runs its build script on this machine"
    )


def test_a_wheel_with_another_hash_alone_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "index" / "leaf").mkdir(parents=True)
    wheel = make_wheel(tmp_path / "index" / "leaf", {}, name="leaf")
    sha512 = hashlib.sha512(wheel.read_bytes()).hexdigest()
    page = f'<a href="{wheel.name}#sha512={sha512}">{wheel.name}</a>'
    (tmp_path / "index" / "leaf" / "index.html").write_text(page)
    (project / "uv.toml").write_text(f'index-url = "{(tmp_path / "index").as_uri()}"\n')
    with pytest.raises(UvError) as caught:
        resolve(project, "leaf")
    assert caught.value.message == f"the index gives no SHA-256 hash for {wheel.name}"
    assert caught.value.hint == "download it and name its directory in uv's `find-links`"


def test_an_index_out_of_reach_is_an_error_and_not_a_wait(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(UvError) as caught:
        resolve(project, "leaf")
    assert "http://127.0.0.1:9/simple/leaf/" in caught.value.message


def test_a_mistake_in_the_configuration_of_uv_is_shown(project: Path) -> None:
    (project / "uv.toml").write_text("find-links = 3\n")
    with pytest.raises(UvError) as caught:
        resolve(project, "leaf")
    assert "uv.toml" in caught.value.message


def test_what_uv_warns_of_is_passed_on(project: Path, wheel: MakeWheel) -> None:
    wheel("leaf", "1.0")
    recorder = Recorder()
    anyio.run(Uv(project, recorder).resolve, ["leaf[missing]"], AMD64)
    ((message, _),) = recorder.warnings
    assert message.startswith("uv: ")
    assert "missing" in message


def test_all_wheels_of_a_version_are_located(project: Path, wheel: MakeWheel) -> None:
    tags = ("cp313-cp313-" + LINUX_AMD64, "cp313-cp313-win_amd64", "py3-none-any")
    for tag in tags:
        wheel("leaf", "1.0", tag=tag, requires="not-there")
    wheel("leaf", "2.0")
    found = anyio.run(Uv(project).locate, {"leaf": "1.0"}, AMD64)
    assert {each.file for each in found} == {f"leaf-1.0-{tag}.whl" for tag in tags}


def test_tags_go_from_the_most_specific_to_the_most_general() -> None:
    tags = [str(tag) for tag in AMD64.tags]
    assert tags[0] == "cp313-cp313-manylinux_2_40_x86_64"
    assert tags[-1] == "py30-none-any"
    places = [
        tags.index(tag)
        for tag in (
            "cp313-cp313-manylinux_2_17_x86_64",
            "cp313-cp313-manylinux2014_x86_64",
            "cp313-cp313-manylinux1_x86_64",
            "cp313-cp313-linux_x86_64",
            "cp310-abi3-manylinux_2_28_x86_64",
            "py3-none-any",
        )
    ]
    assert places == sorted(places)
    assert not any("manylinux1_" in str(tag) or "2_16_" in str(tag) for tag in ARM64.tags)


def test_wheels_need_no_newer_glibc_than_the_target_has(project: Path, wheel: MakeWheel) -> None:
    for minor in (17, 31, 39):
        wheel("compiled", f"1.{minor}", tag=f"py3-none-manylinux_2_{minor}_x86_64")
    expected = {"2.41": 39, "2.39": 39, "2.36": 31, "2.31": 31, "2.28": 17, "2.17": 17}
    for glibc, minor in expected.items():
        target = Target(python="3.13", platform="linux/amd64", glibc=glibc)
        assert resolve(project, "compiled", target=target).startswith(f"compiled-1.{minor}-")


@pytest.mark.parametrize(
    ("glibc", "name"), [("2.41", "40"), ("2.36", "36"), ("2.30", "28"), ("2.12", "17")]
)
def test_uv_is_given_the_newest_platform_that_it_knows(glibc: str, name: str) -> None:
    target = Target(python="3.13", platform="linux/arm64", glibc=glibc)
    assert target.uv_platform == f"aarch64-manylinux_2_{name}"


def test_an_index_of_pytorch_is_for_its_packages_alone(project: Path, wheel: MakeWheel) -> None:
    wheel("leaf", "1.0")
    assert resolve(project, "leaf", torch_backend="cu126") == "leaf-1.0-py3-none-any.whl"
    (found,) = anyio.run(partial(Uv(project).locate, torch_backend="cpu"), {"leaf": "1.0"}, AMD64)
    assert found.file == "leaf-1.0-py3-none-any.whl"
    with pytest.raises(UvError, match="no-such-backend"):
        resolve(project, "leaf", torch_backend="no-such-backend")


@pytest.mark.network
def test_wheels_of_the_index_are_found_for_both_platforms(tmp_path: Path) -> None:
    amd64 = resolve(tmp_path, "numpy==2.3.1")
    arm64 = resolve(tmp_path, "numpy==2.3.1", target=ARM64)
    assert amd64 == "numpy-2.3.1-cp313-cp313-manylinux_2_28_x86_64.whl"
    assert arm64 == "numpy-2.3.1-cp313-cp313-manylinux_2_28_aarch64.whl"
