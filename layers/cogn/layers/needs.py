"""What layers are made from: the entries of the lock whose files a recipe needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    PackagesRecipe,
    PythonRecipe,
    Recipe,
    WheelsRecipe,
)
from cogn.lockfiles import Deb, ImageBase, StandalonePython, Wheel

__all__ = ["Needs"]


@dataclass(frozen=True, slots=True)
class Needs:
    """The inputs of some recipes, each once."""

    debs: tuple[Deb, ...]
    wheels: tuple[Wheel, ...]
    pythons: tuple[StandalonePython, ...]
    images: tuple[ImageBase, ...]
    """The images that decide what is in the layers."""

    @classmethod
    def of(cls, recipes: Iterable[Recipe]) -> Self:
        """Return what all of `recipes` need."""
        debs: dict[str, Deb] = {}
        wheels: dict[str, Wheel] = {}
        pythons: dict[str, StandalonePython] = {}
        images: dict[str, ImageBase] = {}
        for recipe in recipes:
            debs |= {each.sha256: each for each in _debs(recipe)}
            if isinstance(recipe, WheelsRecipe | BytecodeRecipe):
                wheels |= {each.sha256: each for each in recipe.wheels}
            pythons |= {each.sha256: each for each in _pythons(recipe)}
            onto = recipe.base if isinstance(recipe, PackagesRecipe | FixupRecipe) else None
            if isinstance(onto, ImageBase):
                images[onto.manifest] = onto
        return cls(
            tuple(debs.values()),
            tuple(wheels.values()),
            tuple(pythons.values()),
            tuple(images.values()),
        )

    @property
    def files(self) -> tuple[Deb | Wheel | StandalonePython, ...]:
        """All of them that are files which the lock names."""
        return (*self.debs, *self.wheels, *self.pythons)


def _debs(recipe: Recipe) -> Iterable[Deb]:
    match recipe:
        case FixupRecipe():
            return recipe.debs + recipe.system
        case BytecodeRecipe():
            packages = (each for each in _interpreters(recipe) if isinstance(each, tuple))
            return [deb for debs in packages for deb in debs]
        case PackagesRecipe():
            return recipe.debs
        case _:
            return ()


def _pythons(recipe: Recipe) -> Iterable[StandalonePython]:
    match recipe:
        case PythonRecipe():
            return (recipe.python,)
        case BytecodeRecipe():
            return [each for each in _interpreters(recipe) if isinstance(each, StandalonePython)]
        case _:
            return ()


def _interpreters(recipe: BytecodeRecipe) -> Iterable[tuple[Deb, ...] | StandalonePython]:
    from cogn.layers.bytecode import needed_interpreters  # late: often nothing is compiled

    return needed_interpreters(recipe)
