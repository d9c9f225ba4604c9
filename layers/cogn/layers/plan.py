"""The plan: which layers an image has, bottom to top, most shared first."""

from __future__ import annotations

from packaging.utils import parse_wheel_filename

from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    PackagesRecipe,
    Recipe,
    WheelsRecipe,
)
from cogn.lockfiles import Deb, Lock, Wheel

__all__ = ["MOST_LAYERS", "SERVER", "SITE", "interpreter_packages", "plan"]

MOST_LAYERS = 100
"""How many layers an image has at most: container runtimes stack up to 125 or 128."""

SITE = "opt/cogn/site"
"""The directory of the model's packages. It does not name the Python version, so that a wheel
that fits several has one layer for all."""

SERVER = "opt/cogn/server"
"""The directory of the server's packages, which the model does not see."""

_STANDARD_LIBRARY = "usr/lib/python{minor}"
_PATH_FILE = "usr/local/lib/python{minor}/dist-packages/cogn.pth"
_LARGE = 8_000_000
_MOST_LARGE = 70  # with the other layers, this leaves room for weights
_MOST_LARGE_BYTECODE = 10


def plan(lock: Lock) -> tuple[Recipe, ...]:
    """Return the recipes of the environment that `lock` describes; the source comes on top."""
    architecture = lock.platform.partition("/")[2]
    minor = lock.python.version.rpartition(".")[0]
    large, small = _by_size(lock.wheels)
    recipes: list[Recipe] = [
        PackagesRecipe(name="base", architecture=architecture, is_base=True, debs=lock.base.debs),
        PackagesRecipe(
            name=f"python {lock.python.version}",
            architecture=architecture,
            is_base=False,
            debs=lock.python.debs,
        ),
        WheelsRecipe(
            name="server",
            architecture=architecture,
            prefix=SERVER,
            wheels=lock.server,
            # Of all that serves, the model's environment gets `cog` alone.
            links=((f"{SITE}/cog", "../server/cog"),),
        ),
    ]
    if lock.bytecode:
        library = _STANDARD_LIBRARY.format(minor=minor)
        recipes += [
            _bytecode(lock, f"python {lock.python.version}", library, ()),
            _bytecode(lock, "server", SERVER, lock.server),
        ]
    recipes += [
        WheelsRecipe(
            name=f"{wheel.name} {wheel.version}",
            architecture=architecture,
            prefix=SITE,
            wheels=(wheel,),
        )
        for wheel in large
    ]
    if small:
        recipes.append(
            WheelsRecipe(name="wheels", architecture=architecture, prefix=SITE, wheels=small)
        )
    if lock.bytecode:
        apart = [wheel for wheel in large if _has_modules(wheel)][:_MOST_LARGE_BYTECODE]
        recipes += [_bytecode(lock, f"{w.name} {w.version}", SITE, (w,)) for w in apart]
        if rest := tuple(wheel for wheel in (*large, *small) if wheel not in apart):
            recipes.append(_bytecode(lock, "wheels", SITE, rest))
    recipes.append(
        FixupRecipe(
            name="system files",
            architecture=architecture,
            debs=lock.debs,
            path_file=_PATH_FILE.format(minor=minor),
            site=SITE,
        )
    )
    return tuple(recipes)


def interpreter_packages(lock: Lock) -> tuple[Deb, ...]:
    """Return the packages that make up an interpreter which can compile, and no more."""
    minor = lock.python.version.rpartition(".")[0]
    own = (f"python{minor}-minimal", f"libpython{minor}-minimal", f"libpython{minor}-stdlib")
    names = (*own, "libc6", "libexpat1", "zlib1g")
    return tuple(deb for deb in lock.debs if deb.name in names)


def _bytecode(lock: Lock, what: str, prefix: str, wheels: tuple[Wheel, ...]) -> BytecodeRecipe:
    """Return the recipe of the bytecode of `wheels`, or without any of the standard library."""
    return BytecodeRecipe(
        name=f"bytecode of {what}",
        architecture=lock.platform.partition("/")[2],
        python=lock.python.version,
        debs=interpreter_packages(lock),
        prefix=prefix,
        wheels=wheels,
    )


def _has_modules(wheel: Wheel) -> bool:
    """Tell whether a large wheel may have much bytecode.

    One for a platform and any Python, such as those of CUDA, is a library in a wheel's clothes.
    """
    _, _, _, tags = parse_wheel_filename(wheel.file)
    return any(tag.abi != "none" or tag.platform == "any" for tag in tags)


def _by_size(wheels: tuple[Wheel, ...]) -> tuple[tuple[Wheel, ...], tuple[Wheel, ...]]:
    """Return the wheels that get a layer each, largest first, and the rest by name."""
    ranked = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    large = tuple(wheel for wheel in ranked[:_MOST_LARGE] if wheel.size >= _LARGE)
    small = sorted(ranked[len(large) :], key=lambda wheel: wheel.name)
    return large, tuple(small)
