"""What stands for the values of a program that is read and not run.

Numbers, text, lists and the like stand for themselves. The rest of a program has one of these.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cogn.resolver.signature.errors import UnknownValueError

if TYPE_CHECKING:
    from cogn.report import Where
    from cogn.resolver.signature.modules import Module

__all__ = [
    "Call",
    "ClassValue",
    "Decorator",
    "EnumMember",
    "External",
    "Frame",
    "FunctionValue",
    "Imported",
    "MethodOf",
    "Subscripted",
    "UnionOf",
    "Unknown",
    "external",
    "shown",
]


@dataclass(frozen=True)
class External:
    """Something from outside the project, by its full name: `typing.List`, `builtins.str`."""

    path: str

    def __repr__(self) -> str:
        return self.path.removeprefix("builtins.")


@dataclass(frozen=True, eq=False)
class Unknown:
    """A value that cannot be known; `error` says why, to whoever needs it."""

    error: UnknownValueError


@dataclass(frozen=True, eq=False)
class Imported:
    """A name of another module of the project, which is not read before the name is needed."""

    module: Module
    name: str


@dataclass(frozen=True, eq=False)
class Subscripted:
    """A generic type with its arguments: `list[int]`, `Literal["a"]`."""

    origin: object
    arguments: tuple[object, ...]


@dataclass(frozen=True, eq=False)
class UnionOf:
    """`a | b`."""

    of: tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """A call of something outside whose meaning is known, such as `Input(...)`."""

    function: str
    arguments: tuple[object, ...]
    keywords: Mapping[str, object]
    where: Where


@dataclass(frozen=True, eq=False)
class MethodOf:
    """A method of a piece of data, not called yet: `CHOICES.keys`."""

    receiver: object
    name: str


@dataclass(frozen=True, eq=False)
class Decorator:
    """What stands after an `@`, and the keywords that it is called with."""

    function: object
    keywords: Mapping[str, object]


@dataclass(eq=False)
class Frame:
    """The names that a piece of code sees: its own, then those of the code around it."""

    module: Module
    outer: Frame | None = None
    is_class: bool = False
    names: dict[str, object] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    """The modules outside the project of which all names were imported."""
    owner: ClassValue | None = None
    """The class whose body this is."""

    def holder(self, name: str) -> Frame | None:
        """Return the frame that `name` is looked up in; code in functions skips classes."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names and (frame is self or not frame.is_class):
                return frame
            frame = frame.outer
        return None


@dataclass(eq=False)
class FunctionValue:
    """A function of the project: its code, and its defaults, which were evaluated with it."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    frame: Frame
    defaults: dict[str, object]
    decorators: tuple[Decorator, ...] = ()

    def is_marked(self, *paths: str) -> bool:
        """Tell whether one of these is among the decorators."""
        return any(each.function == External(path) for path in paths for each in self.decorators)


@dataclass(eq=False)
class EnumMember:
    """A member of an enumeration; `is_data` when it is a text or a number as well."""

    cls: ClassValue
    name: str
    value: object
    is_data: bool

    def __repr__(self) -> str:
        return f"<{self.cls.name}.{self.name}: {self.value!r}>"


@dataclass(eq=False)
class ClassValue:
    """A class of the project, after its body."""

    name: str
    node: ast.ClassDef
    frame: Frame
    bases: tuple[object, ...]
    keywords: Mapping[str, object]
    decorators: tuple[Decorator, ...]
    annotations: dict[str, ast.AnnAssign] = field(default_factory=dict)
    members: dict[str, EnumMember] | None = None
    """Of an enumeration."""

    def mro(self) -> list[ClassValue | External]:
        """Return this class and those that it inherits from, nearest first.

        A class that is reached twice counts where it is last, which is Python's order for all
        but contrived hierarchies.
        """
        found = list(itertools.islice(self._ancestors(0), _MOST_ANCESTORS))
        return [each for index, each in enumerate(found) if each not in found[index + 1 :]]

    def _ancestors(self, depth: int) -> Iterator[ClassValue | External]:
        yield self
        for base in self.bases if depth < _DEEPEST else ():
            plain = base.origin if isinstance(base, Subscripted) else base
            if isinstance(plain, ClassValue):
                yield from plain._ancestors(depth + 1)
            elif isinstance(plain, External):
                yield plain

    def inherits(self, *paths: str) -> bool:
        """Tell whether one of these classes from outside is among the ancestors."""
        return any(isinstance(each, External) and each.path in paths for each in self.mro())


_DEEPEST = 12
_MOST_ANCESTORS = 256
_WIDTH = 80
_HOMES = {
    "typing_extensions": "typing",
    "collections.abc": "typing",
    "cog.types": "cog",
    "cog.input": "cog",
    "cog.model": "cog",
    "cog.predictor": "cog",
    "pydantic.main": "pydantic",
    "pydantic.fields": "pydantic",
    "pydantic.v1": "pydantic",
}


def external(path: str) -> External:
    """Return what `path` names, under the name that it is best known by."""
    home, _, name = path.rpartition(".")
    return External(f"{_HOMES[home]}.{name}" if home in _HOMES else path)


def shown(node: ast.AST) -> str:
    """Return a node as source, on one line and not too long."""
    try:
        text = " ".join(ast.unparse(node).split())
    except RecursionError:
        return "..."
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
