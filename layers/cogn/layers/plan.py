"""The plan: which layers are put on the base, bottom to top, most shared first."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from packaging.utils import parse_wheel_filename

from cogn.layers.recipe import (
    BytecodeRecipe,
    FixupRecipe,
    Interpreter,
    PackagesRecipe,
    PythonRecipe,
    Recipe,
    WheelsRecipe,
)
from cogn.layers.source import SOURCE
from cogn.lockfiles import (
    Deb,
    Environment,
    ImageBase,
    Lock,
    Platform,
    StandalonePython,
    Wheel,
)

__all__ = ["MOST_LAYERS", "PYTHON", "SERVER", "SITE", "interpreter_of", "plan", "system_groups"]

MOST_LAYERS = 100
"""How many layers an image has at most: container runtimes stack up to 125 or 128."""

SITE = "opt/cogn/site"
"""The directory of the model's packages. It does not name the Python version, so that a wheel
that fits several has one layer for all."""

SERVER = "opt/cogn/server"
"""The directory of the server's packages, which the model does not see."""

PYTHON = "opt/cogn/python"
"""The directory of an interpreter that is not of the base's distribution."""

PIP = "opt/cogn/pip"
"""The directory of pip, which neither the model nor the server sees."""

_LARGE = 8_000_000
_MOST_LARGE = 70
_OTHERS = 29  # all other layers but those of an image and of system packages; room for weights
_MOST_LARGE_BYTECODE = 10
_LARGE_SYSTEM = 2_000_000
_MOST_LARGE_SYSTEM = 15


def plan(lock: Lock, platform: Platform) -> tuple[Recipe, ...]:
    """Return the recipes of what `lock` describes for a platform; the source comes on top.

    The layers of a base that is an image have no recipe: they are below.
    """
    environment = lock.environments[platform]
    base, python = environment.base, environment.python
    architecture = platform.partition("/")[2]
    places = _places(environment)
    image = base if isinstance(base, ImageBase) else None
    system = _system(environment, architecture)
    others = _OTHERS + len(system) + (len(image.layers) if image else 0)
    large, small = _by_size(environment.wheels, min(_MOST_LARGE, MOST_LAYERS - others))
    bytecode = partial(_bytecode, lock, platform)
    packages = partial(PackagesRecipe, architecture=architecture, base=base)
    recipes: list[Recipe] = []
    if base.debs:
        name = "packages" if image else "base"
        recipes.append(packages(name=name, is_base=image is None, debs=base.debs))
    name = f"python {python.version}"
    if isinstance(python, StandalonePython):
        recipes.append(PythonRecipe(name=name, architecture=architecture, python=python))
    elif python.debs:  # an image may have it already
        recipes.append(packages(name=name, is_base=False, debs=python.debs))
    recipes += [
        WheelsRecipe(
            name="server",
            architecture=architecture,
            prefix=SERVER,
            wheels=environment.server,
            # Of all that serves, the model's environment gets `cog` alone.
            links=((f"{SITE}/cog", "../server/cog"),),
        ),
    ]
    if lock.bytecode:
        recipes += [
            bytecode(name, places.library, ()),
            bytecode("server", SERVER, environment.server),
        ]
    if environment.tools:
        recipes.append(
            WheelsRecipe(
                name="pip", architecture=architecture, prefix=PIP, wheels=environment.tools
            )
        )
        if lock.bytecode:
            recipes.append(bytecode("pip", PIP, environment.tools))
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
        recipes += [bytecode(f"{w.name} {w.version}", SITE, (w,)) for w in apart]
        if rest := tuple(wheel for wheel in (*large, *small) if wheel not in apart):
            recipes.append(bytecode("wheels", SITE, rest))
    recipes += system
    recipes.append(
        FixupRecipe(
            name="system files",
            architecture=architecture,
            base=base,
            debs=base.debs + python.debs,
            system=environment.system,
            unrun=environment.unrun,
            path_file=f"{places.site}/cogn.pth",
            site=SITE,
            links=places.links,
            pip=PIP if environment.tools else None,
            plain=(SITE, SERVER, PIP, places.library, SOURCE),
        )
    )
    return tuple(recipes)


class _Places(NamedTuple):
    """Where an interpreter has what others add to or link to."""

    library: str
    """Its standard library."""
    site: str
    """The directory of packages that it looks into first."""
    links: tuple[tuple[str, str], ...] = ()
    """What leads to it, where it is not the distribution's."""


def _places(environment: Environment) -> _Places:
    minor = environment.python.version.rpartition(".")[0]
    if not isinstance(environment.python, StandalonePython):
        site = f"usr/local/lib/python{minor}/dist-packages"
        return _Places(f"usr/lib/python{minor}", site)
    library = f"{PYTHON}/lib/python{minor}"
    programs = ("python", "python3", f"python{minor}", "pip", "pip3", f"pip{minor}")
    links = [(f"usr/local/bin/{name}", f"/{PYTHON}/bin/{name}") for name in programs]
    # A virtual environment that a program started through such a link makes looks for these there.
    links += [
        (f"usr/local/{kind}/python{minor}", f"/{PYTHON}/{kind}/python{minor}")
        for kind in ("include", "lib")
    ]
    return _Places(library, f"{library}/site-packages", tuple(links))


def interpreter_of(environment: Environment) -> Interpreter:
    """Return what an interpreter that can compile is in, and no more."""
    if isinstance(environment.python, StandalonePython):
        return environment.python
    minor = environment.python.version.rpartition(".")[0]
    own = (f"python{minor}-minimal", f"libpython{minor}-minimal", f"libpython{minor}-stdlib")
    names = (*own, "libc6", "libexpat1", "zlib1g")
    return tuple(deb for deb in environment.fetched_debs if deb.name in names)


def _system(environment: Environment, architecture: str) -> list[PackagesRecipe]:
    """Return the layers of the system packages: large groups have one each, largest first."""
    groups = sorted(
        system_groups(environment.system), key=lambda group: (-_size(group), group[0].name)
    )
    large = [group for group in groups[:_MOST_LARGE_SYSTEM] if _size(group) >= _LARGE_SYSTEM]
    small = [deb for group in groups[len(large) :] for deb in group]
    named = [(_name(group), group) for group in large]
    if small:
        named.append(("system packages", tuple(sorted(small, key=lambda deb: deb.name))))
    return [
        PackagesRecipe(
            name=name,
            architecture=architecture,
            is_base=False,
            base=environment.base,
            debs=group,
        )
        for name, group in named
    ]


def system_groups(debs: Iterable[Deb]) -> list[tuple[Deb, ...]]:
    """Return packages in groups that share a layer: those of one source, and those that replace.

    Which of two files stays is decided when their packages are unpacked together.
    """
    groups: dict[str, list[Deb]] = {}
    of_name: dict[str, str] = {}
    for deb in sorted(debs, key=lambda deb: deb.name):
        of_name[deb.name] = source = deb.source or deb.name
        groups.setdefault(source, []).append(deb)
    for deb in [deb for group in groups.values() for deb in group]:
        for other in deb.replaces:
            one, two = of_name[deb.name], of_name.get(other, of_name[deb.name])
            if one != two:
                moved = groups.pop(two)
                groups[one] += moved
                of_name |= {each.name: one for each in moved}
    return [tuple(sorted(group, key=lambda deb: deb.name)) for group in groups.values()]


def _size(debs: Iterable[Deb]) -> int:
    return sum(deb.size for deb in debs)


def _name(debs: Iterable[Deb]) -> str:
    """Return what people call a group: its source package with the most bytes, and its version."""
    sources: dict[str, list[Deb]] = {}
    for deb in debs:
        sources.setdefault(deb.source or deb.name, []).append(deb)
    source, group = min(sources.items(), key=lambda item: (-_size(item[1]), item[0]))
    largest = min(group, key=lambda deb: (deb.name != source, -deb.size, deb.name))
    return f"{source} {largest.version}"


def _bytecode(
    lock: Lock, platform: Platform, what: str, prefix: str, wheels: tuple[Wheel, ...]
) -> BytecodeRecipe:
    """Return the recipe of the bytecode of `wheels`, or without any of the standard library."""
    environment = lock.environments[platform]
    version = environment.python.version
    return BytecodeRecipe(
        name=f"bytecode of {what}",
        architecture=platform.partition("/")[2],
        python=version,
        interpreter=interpreter_of(environment),
        prefix=prefix,
        wheels=wheels,
        equivalents=tuple(
            (other.partition("/")[2], interpreter_of(each))
            for other, each in lock.environments.items()
            if other != platform and each.python.version == version
        ),
    )


def _has_modules(wheel: Wheel) -> bool:
    """Tell whether a large wheel may have much bytecode.

    One for a platform and any Python, such as those of CUDA, is a library in a wheel's clothes.
    """
    _, _, _, tags = parse_wheel_filename(wheel.file)
    return any(tag.abi != "none" or tag.platform == "any" for tag in tags)


def _by_size(wheels: tuple[Wheel, ...], most: int) -> tuple[tuple[Wheel, ...], tuple[Wheel, ...]]:
    """Return the wheels that get a layer each, `most` of them, largest first; the rest by name."""
    ranked = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    large = tuple(wheel for wheel in ranked[: max(most, 0)] if wheel.size >= _LARGE)
    small = sorted(ranked[len(large) :], key=lambda wheel: wheel.name)
    return large, tuple(small)
