"""Dependency closures: which packages come along, and when there is no answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogn.report import CognError, ProblemsError
from cogn.resolver.debian import Universe, replaced
from cogn.resolver.errors import ResolveError
from cogn.resolver.solver import closure
from cogn.store.debian import Package, parse_relations
from support.debian import offered


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


def names(
    wanted: str, *packages: Package, given: tuple[Package, ...] = (), recommends: bool = False
) -> str:
    universe = Universe([("debian", offered(*packages))])
    found = closure(wanted.split(), universe, given=given, recommends=recommends)
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
        [
            ("debian", offered(package("a", "1.9"), package("b", "2"))),
            ("debian-security", offered(package("a", "1.10"), package("b", "2"))),
        ]
    )
    found = [(each.package.version, each.archive) for each in closure(["a", "b"], universe)]
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


@pytest.mark.parametrize(
    ("asked", "there", "hint"),
    [
        ("libgl1-mesa-glx", "libgl1", "in this release it may be `libgl1`"),
        ("libssl1.1", "libssl3t64", "in this release it may be `libssl3t64`"),
        ("libasound2", "libasound2t64", "in this release it may be `libasound2t64`"),
        ("ttf-dejavu", "fonts-dejavu", "in this release it may be `fonts-dejavu`"),
        ("python-dev", "python3-dev", "in this release it may be `python3-dev`"),
        (
            "openjdk-8-jdk",
            "default-jdk-headless",
            "in this release it may be `default-jdk-headless`",
        ),
        ("ffmpge", "ffmpeg", "similar names: `ffmpeg`"),
        ("libgl1-mesa-glx", "tar", None),
    ],
)
def test_an_unknown_name_is_answered_with_what_may_be_meant(
    asked: str, there: str, hint: str | None
) -> None:
    with pytest.raises(ResolveError, match=f"there is no package `{asked}`") as error:
        names(asked, package(there), package("other"))
    assert error.value.hint == hint


def test_all_names_that_nothing_has_are_told_at_once() -> None:
    with pytest.raises(ProblemsError) as error:
        names("tool gone lost", package("tool"))
    assert [problem.message for problem in error.value.problems] == [
        "there is no package `gone` in this release",
        "there is no package `lost` in this release",
    ]


def test_a_choice_that_leads_nowhere_is_taken_back() -> None:
    # `b` comes first, but what it needs excludes what `a` needs elsewhere.
    packages = (
        package("a", depends="b | c, d"),
        package("b", depends="e"),
        package("c"),
        package("d", depends="f"),
        package("e", conflicts="f"),
        package("f"),
    )
    assert names("a", *packages) == "a c d f"
    hopeless = (*packages[:2], package("c", breaks="d"), *packages[3:])
    with pytest.raises(ResolveError, match="cannot be installed together"):
        names("a", *hopeless)


def test_an_alternative_that_cannot_be_installed_is_passed_over() -> None:
    packages = (package("a", depends="b | c"), package("b", depends="gone"), package("c"))
    assert names("a", *packages) == "a c"


def test_virtual_packages_exclude_their_other_providers() -> None:
    one = package("one", provides="mail", conflicts="mail")
    other = package("other", provides="mail", conflicts="mail")
    assert names("one", one, other) == "one"
    with pytest.raises(ResolveError, match="`one` 1 and `other` 1 cannot be installed together"):
        names("one other", one, other)
    with pytest.raises(ResolveError, match="`one` is in the base"):
        names("other", one, other, given=(one,))


def test_recommendations_come_along_where_they_can() -> None:
    packages = (
        package("a", depends="b", recommends="c | d, gone, e, f"),
        package("b"),
        package("c", conflicts="b"),
        package("d", recommends="g"),
        package("e", depends="gone"),
        package("f", breaks="b (<< 9)"),
        package("g"),
    )
    assert names("a", *packages) == "a b"
    assert names("a", *packages, recommends=True) == "a b d g"


def test_why_something_cannot_be_had_is_said_from_the_top() -> None:
    packages = (
        package("a", depends="b"),
        package("b", depends="c"),
        package("c", depends="d (>= 2)"),
        package("d"),
        package("x", depends="y"),
        package("y", conflicts="c"),
    )
    with pytest.raises(ResolveError) as unmet:
        names("a", *packages)
    assert unmet.value.message == (
        "`c` 1 needs `d (>= 2)`, but there is only `d` 1\n  `a` needs `b`, which needs `c`"
    )
    packages = (*packages[:2], package("c"), *packages[3:])
    with pytest.raises(ResolveError) as excluded:
        names("a x", *packages)
    assert excluded.value.message == (
        "`y` 1 and `c` 1 cannot be installed together: the first excludes `c`\n"
        "  `x` needs `y`\n"
        "  `a` needs `b`, which needs `c`"
    )


def test_a_package_takes_over_files_of_those_that_its_replaces_field_names() -> None:
    taker = package("a", replaces="b (<< 2), c, d (<< 1), virtual")
    there = {"a": "1", "b": "1.9", "c": "7", "d": "1"}
    assert replaced(taker, there) == ("b", "c")
    assert replaced(package("a"), there) == ()


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
EXCLUSIONS = st.lists(LETTERS, max_size=2).map(", ".join)


@settings(max_examples=300, deadline=None)
@given(
    fields=st.dictionaries(
        LETTERS, st.tuples(RELATIONS, RELATIONS, LETTERS, EXCLUSIONS), min_size=1
    ),
    wanted=st.sets(LETTERS, min_size=1, max_size=3),
    order=st.randoms(),
)
def test_a_closure_holds_and_is_found_if_there_is_one_whatever_the_order(
    fields: Mapping[str, tuple[str, str, str, str]], wanted: set[str], order: Random
) -> None:
    packages = [
        package(name, depends=depends, pre_depends=before, provides=provides, conflicts=conflicts)
        for name, (depends, before, provides, conflicts) in fields.items()
    ]
    try:
        found = closure(sorted(wanted), Universe([("debian", offered(*packages))]))
    except CognError as error:
        # Virtual names with several providers are refused before any search, and a search may give
        # up, which it says.
        said = [problem.message for problem in error.problems]
        if not any("virtual package" in each or "was found" in each for each in said):
            named = {_named(name, packages) for name in wanted}
            assert not any(
                named <= {each.name for each in some} and holds(some) for some in subsets(packages)
            )
        return
    chosen = [candidate.package for candidate in found]
    assert wanted <= {each.name for each in chosen} | {each.provides for each in chosen}
    assert holds(chosen)
    order.shuffle(packages)
    assert closure(sorted(wanted), Universe([("debian", offered(*packages))])) == found


def holds(packages: Sequence[Package]) -> bool:
    """Tell by the words of policy whether packages can be installed together."""
    for each in packages:
        for group in parse_relations(each.depends) + parse_relations(each.pre_depends):
            if not any(
                relation.name in {p.name, p.provides} for relation in group for p in packages
            ):
                return False
        for (relation,) in parse_relations(each.conflicts):
            if any(relation.name in {p.name, p.provides} for p in packages if p is not each):
                return False
    return True


def subsets(packages: Sequence[Package]) -> Iterator[Sequence[Package]]:
    for size in range(len(packages) + 1):
        yield from combinations(packages, size)


def _named(name: str, packages: Sequence[Package]) -> str:
    """Return the package that a name stands for: itself, or its only provider."""
    if any(each.name == name for each in packages):
        return name
    return next((each.name for each in packages if each.provides == name), name)
