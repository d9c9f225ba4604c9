"""The plan: which layers an image has, bottom to top, most shared first."""

from __future__ import annotations

from cogn.layers.recipe import FixupRecipe, PackagesRecipe, Recipe, WheelsRecipe
from cogn.lockfiles import Lock, Wheel

__all__ = ["MOST_LAYERS", "SERVER", "SITE", "plan"]

MOST_LAYERS = 100
"""How many layers an image has at most: container runtimes stack up to 125 or 128."""

SITE = "opt/cogn/site"
"""The directory of the model's packages. It does not name the Python version, so that a wheel
that fits several has one layer for all."""

SERVER = "opt/cogn/server"
"""The directory of the server's packages, which the model does not see."""

_PATH_FILE = "usr/local/lib/python{minor}/dist-packages/cogn.pth"
_LARGE = 8_000_000
_MOST_LARGE = 80  # with the other layers, this leaves room for weights


def plan(lock: Lock) -> tuple[Recipe, ...]:
    """Return the recipes of the environment that `lock` describes; the source comes on top."""
    architecture = lock.platform.partition("/")[2]
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
    recipes.append(
        FixupRecipe(
            name="system files",
            architecture=architecture,
            debs=lock.debs,
            path_file=_PATH_FILE.format(minor=lock.python.version.rpartition(".")[0]),
            site=SITE,
        )
    )
    return tuple(recipes)


def _by_size(wheels: tuple[Wheel, ...]) -> tuple[tuple[Wheel, ...], tuple[Wheel, ...]]:
    """Return the wheels that get a layer each, largest first, and the rest by name."""
    ranked = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    large = tuple(wheel for wheel in ranked[:_MOST_LARGE] if wheel.size >= _LARGE)
    small = sorted(ranked[len(large) :], key=lambda wheel: wheel.name)
    return large, tuple(small)
