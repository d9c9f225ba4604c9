"""Which layers an image has, and what two images share."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cogn.layers.plan import SITE, interpreter_of, plan, system_groups
from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    PackagesRecipe,
    Recipe,
    WheelsRecipe,
    digest_of,
)
from cogn.lockfiles import StandalonePython
from support.locks import (
    AMD64,
    ARM64,
    HEX,
    make_arm_environment,
    make_deb,
    make_environment,
    make_image_base,
    make_lock,
    make_wheel_entry,
)


def planned(**changes: Any) -> tuple[Recipe, ...]:
    """Return the recipes of a lock for amd64."""
    return plan(make_lock(**changes), AMD64)


def test_large_wheels_have_layers_of_their_own_largest_first() -> None:
    wheels = (
        make_wheel_entry("cublas", size=400_000_000, tag="py3-none-manylinux_2_27_x86_64"),
        make_wheel_entry("click", size=100_000),
        make_wheel_entry("torch", size=900_000_000),
        make_wheel_entry("anyio", size=100_000),
    )
    assert [recipe.name for recipe in planned(wheels=wheels)] == [
        "base",
        "python 3.13.5",
        "server",
        "bytecode of python 3.13.5",
        "bytecode of server",
        "torch 1.0",
        "cublas 1.0",
        "wheels",
        "bytecode of torch 1.0",
        "bytecode of wheels",
        "system files",
    ]


def test_an_image_has_at_most_100_layers_however_many_wheels() -> None:
    wheels = tuple(make_wheel_entry(f"w{n}", size=10_000_000 + n) for n in range(300))
    assert len(planned(wheels=wheels)) + 1 <= 100


def test_an_image_as_the_base_takes_some_of_the_layers_and_changes_no_other_recipe() -> None:
    wheels = tuple(make_wheel_entry(f"w{n}", size=10_000_000 + n) for n in range(300))
    small, large = (
        planned(wheels=wheels, base=make_image_base(count, debs=())) for count in (1, 50)
    )
    assert max(len(small) + 1, len(large) + 50) < 100
    ours = {r.name: digest_of(r) for r in planned(wheels=wheels)}
    theirs = {r.name: digest_of(r) for r in small}
    changed = {name for name in ours if ours[name] != theirs.get(name)}
    depending = {"base", "python 3.13.5", "system files"}
    assert changed <= depending | {n for n in ours if n.startswith("bytecode")}


def test_a_wheels_layer_does_not_depend_on_the_python_that_imports_it() -> None:
    wheels = (make_wheel_entry("cublas", size=400_000_000),)
    python = make_environment().python
    ours, theirs = (
        [digest_of(recipe) for recipe in recipes if recipe.name in {"cublas 1.0", "server"}]
        for recipes in (
            planned(wheels=wheels),
            planned(wheels=wheels, python=replace(python, version="3.12.4")),
        )
    )
    assert ours == theirs


def test_models_share_the_layers_of_the_large_wheels_they_share() -> None:
    torch = make_wheel_entry("torch", size=900_000_000)
    one = planned(wheels=(torch, make_wheel_entry("click")))
    other = planned(wheels=(make_wheel_entry("numpy", size=20_000_000), torch))
    ours, theirs = ({r.name: digest_of(r) for r in recipes} for recipes in (one, other))
    shared = {name for name in ours if ours[name] == theirs.get(name)}
    assert shared == {
        "base",
        "python 3.13.5",
        "server",
        "bytecode of python 3.13.5",
        "bytecode of server",
        "torch 1.0",
        "bytecode of torch 1.0",
        "system files",
    }


def test_without_bytecode_there_is_no_layer_of_it_and_all_others_are_the_same() -> None:
    wheels = (make_wheel_entry("torch", size=900_000_000), make_wheel_entry("click"))
    with_it = {recipe.name: digest_of(recipe) for recipe in planned(wheels=wheels)}
    without = planned(wheels=wheels, bytecode=False)
    assert {recipe.name: digest_of(recipe) for recipe in without} == {
        name: digest for name, digest in with_it.items() if not name.startswith("bytecode of ")
    }


def test_bytecode_depends_on_the_interpreter_and_not_on_the_rest_of_the_system() -> None:
    def digests(**versions: str) -> set[str]:
        names = {"libc6": HEX, "bash": HEX, "python3.13-minimal": HEX} | versions
        debs = tuple(make_deb(name, sha256=sha256) for name, sha256 in names.items())
        recipes = planned(base=replace(make_environment().base, debs=debs))
        return {digest_of(recipe) for recipe in recipes if isinstance(recipe, BytecodeRecipe)}

    other = HEX[::-1]
    assert digests(bash=other) == digests()
    assert digests(**{"python3.13-minimal": other}).isdisjoint(digests())


def test_every_module_of_an_environment_is_compiled_once() -> None:
    wheels = tuple(make_wheel_entry(f"w{n}", size=n * 1_000_000) for n in range(1, 40))
    recipes = [r for r in planned(wheels=wheels) if isinstance(r, BytecodeRecipe)]
    compiled = [wheel for r in recipes if r.prefix == SITE for wheel in r.wheels]
    assert len(compiled) == len(set(compiled)) == len(wheels)


def test_another_platform_in_the_lock_changes_no_recipe() -> None:
    alone = make_lock()
    both = replace(alone, environments=alone.environments | {ARM64: make_arm_environment()})
    ours, theirs = ([digest_of(r) for r in plan(lock, AMD64)] for lock in (alone, both))
    assert ours == theirs


def test_platforms_share_the_layers_of_the_wheels_they_share() -> None:
    weights = make_wheel_entry("weights", size=900_000_000)
    environments = {
        AMD64: make_environment(wheels=(weights, make_wheel_entry("numpy", tag="cp313-cp313-x"))),
        ARM64: make_arm_environment(
            wheels=(weights, make_wheel_entry("numpy", tag="cp313-cp313-a"))
        ),
    }
    lock = replace(make_lock(), environments=environments)
    ours, theirs = (
        {digest_of(r): r.name for r in plan(lock, each) if isinstance(r, WheelsRecipe)}
        for each in environments
    )
    assert {ours[digest] for digest in ours.keys() & theirs.keys()} == {"server", "weights 1.0"}


def test_bytecode_can_be_made_by_another_platforms_interpreter_of_the_same_version() -> None:
    lock = make_lock()
    other = make_arm_environment()
    older = replace(other, python=replace(other.python, version="3.13.4"))
    for environment, architectures in ((other, ["arm64"]), (older, [])):
        both = replace(lock, environments=lock.environments | {ARM64: environment})
        recipes = [r for r in plan(both, AMD64) if isinstance(r, BytecodeRecipe)]
        found = {architecture for r in recipes for architecture, _ in r.equivalents}
        assert sorted(found) == architectures


FFMPEG = (
    make_deb("ffmpeg", size=2_500_000, version="7:7.1", sha256="a" * 64),
    make_deb("libavcodec61", source="ffmpeg", size=6_000_000, version="7:7.1", sha256="b" * 64),
    make_deb("libbz2", source="bzip2", size=1_900_000, sha256="c" * 64),
    make_deb("zlib1g", source="zlib", size=1_900_000, sha256="d" * 64),
    make_deb("git", size=9_000_000, version="1:2.47", sha256="e" * 64),
)


def system_layers(recipes: tuple[Recipe, ...]) -> dict[str, list[str]]:
    """Return the packages of the layers of system packages by the layers' names, bottom first."""
    first = next(n for n, each in enumerate(recipes) if not isinstance(each, PackagesRecipe))
    return {
        each.name: [deb.name for deb in each.debs]
        for each in recipes[first:]
        if isinstance(each, PackagesRecipe)
    }


def test_system_packages_of_large_sources_have_layers_of_their_own_largest_first() -> None:
    recipes = planned(system=FFMPEG)
    assert list(system_layers(recipes).items()) == [
        ("git 1:2.47", ["git"]),
        ("ffmpeg 7:7.1", ["ffmpeg", "libavcodec61"]),
        ("system packages", ["libbz2", "zlib1g"]),
    ]
    names = [recipe.name for recipe in recipes]
    assert names.index("bytecode of wheels") < names.index("git 1:2.47")
    assert names[-2:] == ["system packages", "system files"]


def test_packages_that_replace_each_other_share_a_layer() -> None:
    debs = (
        *FFMPEG,
        make_deb("a", replaces=("b",)),
        make_deb("b", replaces=("git", "elsewhere")),
        make_deb("c", replaces=("zlib1g",)),
    )
    groups = {frozenset(deb.name for deb in group) for group in system_groups(debs)}
    assert groups == {
        frozenset(("a", "b", "git")),
        frozenset(("c", "zlib1g")),
        frozenset(("ffmpeg", "libavcodec61")),
        frozenset(("libbz2",)),
    }
    assert "git 1:2.47" in system_layers(planned(system=debs))


def test_system_packages_leave_room_for_other_layers() -> None:
    wheels = tuple(make_wheel_entry(f"w{n}", size=10_000_000 + n) for n in range(300))
    system = tuple(make_deb(f"d{n}", size=3_000_000 + n) for n in range(200))
    for base in (make_environment().base, make_image_base(50)):
        recipes = planned(wheels=wheels, system=system, base=base)
        layers = system_layers(recipes)
        assert (len(layers), len(layers["system packages"])) == (16, 185)
        assert len(recipes) + len(getattr(base, "layers", ())) <= 90  # the source has some, too


def test_models_share_the_layers_of_the_system_packages_they_share() -> None:
    one = planned(system=FFMPEG, wheels=(make_wheel_entry("click"),))
    other = planned(system=FFMPEG[:2], python=replace(make_environment().python, debs=()))
    ours, theirs = ({r.name: digest_of(r) for r in recipes} for recipes in (one, other))
    assert ours["ffmpeg 7:7.1"] == theirs["ffmpeg 7:7.1"]
    assert ours["system files"] != theirs["system files"]


@given(
    changed=st.sampled_from(["sha256", "replaces", "release", "rootfs", "name", "path", "unrun"]),
    on_image=st.booleans(),
)
def test_a_recipe_of_packages_changes_with_what_decides_its_bytes_and_with_nothing_else(
    changed: str, on_image: bool
) -> None:
    base = make_image_base(debs=FFMPEG[4:]) if on_image else make_environment().base
    before = make_environment(base=base, system=FFMPEG)
    libav = FFMPEG[1]
    match changed:
        case "sha256" | "path":
            system = (*FFMPEG[:1], replace(libav, **{changed: "f" * 64}), *FFMPEG[2:])
            after = replace(before, system=system)
        case "replaces":
            system = (*FFMPEG[:1], replace(libav, replaces=("ffmpeg",)), *FFMPEG[2:])
            after = replace(before, system=system)
        case "unrun":
            after = replace(before, unrun=("git",))
        case "rootfs" if on_image:
            after = replace(before, base=replace(base, rootfs=f"sha256:{'1' * 64}"))
        case "release" if not on_image:
            after = replace(before, base=replace(base, release="bookworm"))
        case _:
            after = replace(before, base=replace(base, reason="another"))
    one, other = (
        {r.name: digest_of(r) for r in plan(replace(make_lock(), environments={AMD64: e}), AMD64)}
        for e in (before, after)
    )
    found = {name for name in one if one[name] != other[name]}
    on_base = {"git 1:2.47", "ffmpeg 7:7.1", "system packages", "python 3.13.5"}
    assert found == {
        "sha256": {"ffmpeg 7:7.1", "system files"},
        "replaces": {"ffmpeg 7:7.1"},
        "unrun": {"system files"},
        "rootfs": on_base | {"packages", "system files"} if on_image else set(),
        "release": set() if on_image else on_base | {"base", "system files"},
    }.get(changed, set())


def test_what_an_image_has_already_has_no_layer_and_compiles_all_the_same() -> None:
    names = ("python3.12-minimal", "libpython3.12-minimal", "libpython3.12-stdlib", "libc6")
    base = make_image_base(debs=(), interpreter=tuple(make_deb(name) for name in names))
    python = replace(make_environment().python, version="3.12.3", debs=())
    environment = make_environment(base=base, python=python)
    recipes = planned(base=base, python=python)
    assert [r.name for r in recipes][:2] == ["server", "bytecode of python 3.12.3"]
    interpreter = interpreter_of(environment)
    assert isinstance(interpreter, tuple)
    assert [deb.name for deb in interpreter] == list(names)


def test_a_python_for_every_base_is_one_layer_for_all_and_the_one_that_links_lead_to() -> None:
    python = StandalonePython(
        version="3.12.4", reason="", release="20260101", file="cpython.tar.gz", sha256=HEX
    )
    own, image = (
        {recipe.name: recipe for recipe in planned(python=python, base=base)}
        for base in (make_environment().base, make_image_base())
    )
    same = ("python 3.12.4", "bytecode of python 3.12.4", "wheels", "bytecode of wheels")
    assert [digest_of(own[name]) for name in same] == [digest_of(image[name]) for name in same]
    bytecode, fixup = own["bytecode of python 3.12.4"], own["system files"]
    assert isinstance(bytecode, BytecodeRecipe)
    assert isinstance(fixup, FixupRecipe)
    assert (bytecode.interpreter, bytecode.prefix) == (python, "opt/cogn/python/lib/python3.12")
    assert fixup.path_file == "opt/cogn/python/lib/python3.12/site-packages/cogn.pth"
    links = dict(fixup.links)
    assert links["usr/local/bin/python"] == "/opt/cogn/python/bin/python"
    assert links["usr/local/bin/pip3.12"] == "/opt/cogn/python/bin/pip3.12"
    assert fixup.pip is None


def test_pip_is_apart_and_changes_no_layer_but_that_of_its_program() -> None:
    plain, with_pip = (
        {recipe.name: digest_of(recipe) for recipe in planned(tools=tools)}
        for tools in ((), (make_wheel_entry("pip"),))
    )
    assert with_pip.keys() - plain.keys() == {"pip", "bytecode of pip"}
    assert {name for name in plain if plain[name] != with_pip[name]} == {"system files"}
