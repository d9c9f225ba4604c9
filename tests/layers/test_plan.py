"""Which layers an image has, and what two images share."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cogn.layers.plan import SITE, plan
from cogn.layers.recipe import BytecodeRecipe, Recipe, WheelsRecipe, digest_of
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
    assert changed <= {"base", "system files"} | {n for n in ours if n.startswith("bytecode")}


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
