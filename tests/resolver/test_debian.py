"""Dependency closures: which packages come along, and when there is no answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogn.report import Reporter
from cogn.resolver.base import BASE_PACKAGES
from cogn.resolver.debian import Universe, closure
from cogn.resolver.errors import ResolveError
from cogn.store import Cache
from cogn.store.debian import Mirrors, Package, Suite, open_suite, parse_relations
from cogn.store.http import Fetcher


def package(name: str, version: str = "1", **fields: str | bool) -> Package:
    return Package(
        name=name,
        version=version,
        architecture="amd64",
        path=f"pool/{name}.deb",
        sha256="0" * 64,
        size=1,
        **fields,  # type: ignore[arg-type]
    )


def names(wanted: str, *packages: Package, given: tuple[Package, ...] = ()) -> str:
    universe = Universe({"debian": packages})
    found = closure(wanted.split(), universe, given=given)
    return " ".join(candidate.package.name for candidate in found)


def test_dependencies_come_along_with_their_own() -> None:
    packages = (
        package("a", depends="b"),
        package("b", pre_depends="c", depends="a"),
        package("c"),
        package("d"),
    )
    assert names("a", *packages) == "a b c"


def test_the_left_most_alternative_that_exists_is_taken() -> None:
    assert names("a", package("a", depends="x | c | b"), package("b"), package("c")) == "a c"


def test_an_alternative_that_is_there_anyway_is_taken() -> None:
    choice = package("a", depends="b | c")
    assert names("a c", choice, package("b"), package("c")) == "a c"
    assert names("a", choice, package("b"), package("c"), given=(package("c"),)) == "a"
    later = package("z", depends="c")
    assert names("a z", choice, later, package("b"), package("c")) == "a c z"


def test_an_alternative_of_the_wrong_version_is_passed_over() -> None:
    choice = package("a", depends="b (>= 2) | c")
    assert names("a", choice, package("b", "1"), package("c")) == "a c"


def test_a_virtual_package_is_filled_by_its_best_provider() -> None:
    needs = package("a", depends="mail")
    plain, standard, essential = (
        package("m1", provides="mail"),
        package("m2", provides="mail", priority="standard"),
        package("m3", provides="mail", essential=True),
    )
    assert names("a", needs, plain) == "a m1"
    assert names("a", needs, plain, standard) == "a m2"
    assert names("a", needs, plain, standard, essential) == "a m3"
    assert names("a m1", needs, plain, standard) == "a m1"


def test_a_version_is_met_only_by_a_provision_with_one() -> None:
    needs = package("a", depends="api (>= 2)")
    unversioned, old, new = (
        package("u", provides="api"),
        package("o", provides="api (= 1)"),
        package("v", provides="api (= 2)"),
    )
    assert names("a", needs, unversioned, old, new) == "a v"
    with pytest.raises(ResolveError, match=r"`a` 1 needs `api \(>= 2\)`: not found"):
        names("a", needs, unversioned, old)


def test_any_is_for_packages_that_allow_it() -> None:
    needs = package("a", depends="b:any")
    assert names("a", needs, package("b", multi_arch="allowed")) == "a b"
    with pytest.raises(ResolveError, match="needs `b:any`"):
        names("a", needs, package("b"))
    assert names("a", package("a", depends="b:native"), package("b")) == "a b"


def test_the_newest_version_of_all_suites_is_taken() -> None:
    universe = Universe(
        {
            "debian": [package("a", "1.9"), package("b", "2")],
            "debian-security": [package("a", "1.10"), package("b", "2")],
        }
    )
    found = [(each.package.version, each.deb.archive) for each in closure(["a", "b"], universe)]
    assert found == [("1.10", "debian-security"), ("2", "debian")]


def test_what_is_given_is_neither_returned_nor_replaced() -> None:
    base = (package("b", "1"),)
    packages = (package("a", depends="b"), package("b", "2"))
    assert names("a b", *packages, given=base) == "a"
    with pytest.raises(ResolveError, match=r"`a` 1 needs `b \(>= 2\)`, but the base has `b` 1"):
        names("a", package("a", depends="b (>= 2)"), package("b", "2"), given=base)


@pytest.mark.parametrize("field", ["conflicts", "breaks"])
def test_packages_that_exclude_each_other_are_an_error(field: str) -> None:
    hostile = package("b", "3", **{field: "a (<< 2)"})
    with pytest.raises(ResolveError, match="`b` 3 and `a` 1 cannot be installed together"):
        names("a b", package("a"), hostile)
    with pytest.raises(ResolveError, match="`b` 3 and `a` 1 cannot be installed together"):
        names("b", hostile, given=(package("a"),))
    assert names("a b", package("a", "2"), hostile) == "a b"


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    assert names("a", package("a", provides="mail", conflicts="mail")) == "a"


def test_an_unknown_name_is_answered_with_similar_ones() -> None:
    with pytest.raises(ResolveError, match="there is no package `libgl1-mesa`") as error:
        names("libgl1-mesa", package("libgl1-mesa-dri"), package("tar"))
    assert error.value.hint == "similar names: `libgl1-mesa-dri`"


def test_a_virtual_name_stands_for_its_only_provider() -> None:
    one, other = package("a", provides="v"), package("b", provides="v")
    assert names("v", one) == "a"
    with pytest.raises(ResolveError, match="`v` is a virtual package") as error:
        names("v", one, other)
    assert error.value.hint == "name one of them: `a`, `b`"


LETTERS = st.sampled_from("abcdefgh")
RELATIONS = st.lists(st.lists(LETTERS, min_size=1, max_size=3).map(" | ".join), max_size=3).map(
    ", ".join
)


@settings(max_examples=200, deadline=None)
@given(
    fields=st.dictionaries(LETTERS, st.tuples(RELATIONS, RELATIONS, LETTERS), min_size=1),
    wanted=st.sets(LETTERS, min_size=1, max_size=3),
    order=st.randoms(),
)
def test_a_closure_is_closed_and_does_not_depend_on_order(
    fields: Mapping[str, tuple[str, str, str]], wanted: set[str], order: Random
) -> None:
    packages = [
        package(name, depends=depends, pre_depends=pre_depends, provides=provides)
        for name, (depends, pre_depends, provides) in fields.items()
    ]
    try:
        found = closure(sorted(wanted), Universe({"debian": packages}))
    except ResolveError:
        return
    chosen = [candidate.package for candidate in found]
    there = {each.name for each in chosen} | {each.provides for each in chosen}
    assert wanted <= there
    for each in chosen:
        for group in parse_relations(each.depends) + parse_relations(each.pre_depends):
            assert {relation.name for relation in group} & there
    order.shuffle(packages)
    assert closure(sorted(wanted), Universe({"debian": packages})) == found


SETS = [
    BASE_PACKAGES,
    (*BASE_PACKAGES, "python3.13"),
    ("ffmpeg",),
    ("libgl1", "libglib2.0-0t64"),
    ("git", "curl", "wget"),
    ("build-essential", "cmake", "ninja-build"),
    ("libopencv-dev",),
    ("imagemagick",),
    ("espeak-ng", "sox", "libsndfile1"),
    ("tesseract-ocr", "poppler-utils"),
    ("openjdk-21-jre-headless",),
    ("nodejs",),
    ("libgtk-3-0t64",),
    ("python3-numpy",),
]


@pytest.fixture(scope="module")
def apt(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which apt-get knows the machine's mirror, trixie, and no package."""
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is the oracle")
    root = tmp_path_factory.mktemp("apt")
    for directory in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/dpkg"):
        (root / directory).mkdir(parents=True)
    for directory in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / directory).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    mirrors = Mirrors.find()
    if not mirrors.of("debian") or not mirrors.of("debian-security"):
        pytest.skip("no mirror of Debian is configured here")
    (root / "etc/apt/sources.list").write_text(
        f"deb [trusted=yes] {mirrors.of('debian')[0]} trixie main\n"
        f"deb [trusted=yes] {mirrors.of('debian-security')[0]} trixie-security main\n"
    )
    (root / "apt.conf").write_text(
        f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
    )
    environment = os.environ | {"APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    subprocess.run(["apt-get", "-qq", "update"], env=environment, check=True)
    return environment


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Universe:
    async def load() -> Universe:
        packages = {}
        mirrors = Mirrors.find()
        cache = Cache(tmp_path_factory.mktemp("cache"))
        async with Fetcher.open(cache, Reporter()) as fetcher:
            for suite in (Suite("debian", "trixie"), Suite("debian-security", "trixie-security")):
                opened = await open_suite(suite, fetcher=fetcher, mirrors=mirrors)
                packages[suite.archive] = await opened.packages("amd64")
        return Universe(packages)

    return anyio.run(load)


@pytest.mark.network
@pytest.mark.parametrize("wanted", SETS, ids=lambda wanted: f"{len(wanted)} with {wanted[-1]}")
def test_the_closure_is_what_apt_would_install(
    wanted: tuple[str, ...], apt: dict[str, str], trixie: Universe, tmp_path: Path
) -> None:
    simulated = subprocess.run(
        ["apt-get", "-s", "install", "--no-install-recommends", *wanted],
        env=apt,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in simulated.stdout.splitlines() if line.startswith("Inst ")]
    expected = {words[1]: words[2].strip("()") for words in lines}
    found = {each.package.name: each.package.version for each in closure(wanted, trixie)}
    assert found == expected
