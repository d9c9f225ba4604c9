"""What the annotations of a `run()` say, as data, and the types they stand for.

A `Signature` is made from source or from loaded code. Both read annotations into this form; what
they mean is decided here, so that both give the same types and refuse with the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.signature import OutputMode
from cogn_runtime.schema.types import (
    AnyObject,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Record,
    RecordField,
    Scalar,
    ScalarName,
    Type,
)

__all__ = [
    "SUPPORTED",
    "Alternatives",
    "Annotation",
    "Choice",
    "DictAnnotation",
    "Iteration",
    "ListAnnotation",
    "Model",
    "ModelField",
    "Named",
    "NamedType",
    "Opaque",
    "Unsupported",
    "input_type",
    "is_optional",
    "output_type",
]

SUPPORTED = (
    "use str, int, float, bool, cog.Path, cog.Secret, dict, a list of one of them, "
    "or Optional of any"
)
"""The hint for annotations that have no type here."""

_SUPPORTED_OUTPUTS = (
    "use str, int, float, bool, cog.Path, dict, list, cog.BaseModel with such fields, "
    "or Iterator of any"
)

NamedType = Literal[ScalarName, "object", "list", "none"]


@dataclass(frozen=True)
class Named:
    """A type that is a name alone: a scalar, any object, a list of anything, None."""

    name: NamedType


@dataclass(frozen=True)
class ListAnnotation:
    """`list[item]`."""

    item: Annotation


@dataclass(frozen=True)
class DictAnnotation:
    """`dict[..., value]`."""

    value: Annotation


@dataclass(frozen=True)
class Alternatives:
    """`Union[...]`, `a | b`, `Optional[a]`; flat, no alternative twice."""

    of: tuple[Annotation, ...]


@dataclass(frozen=True)
class Choice:
    """`Literal[...]`."""

    values: tuple[object, ...]


@dataclass(frozen=True)
class Opaque:
    """`Annotated[..., cog.Opaque]`: objects of which nothing is said."""

    of: Annotation


@dataclass(frozen=True)
class Iteration:
    """An iterator, synchronous or not, and the type of its items if that is given."""

    mode: OutputMode
    item: Annotation | None


@dataclass(frozen=True)
class ModelField:
    """A field of a `Model`; `required` is False when it has a default."""

    name: str
    annotation: Annotation
    required: bool


@dataclass(frozen=True)
class Model:
    """A class with fields. `key` tells whether two are the same; `fields` may raise."""

    name: str
    key: object
    typed_dict: bool
    fields: Callable[[], Iterable[ModelField]] = field(compare=False)


@dataclass(frozen=True)
class Unsupported:
    """Anything else, as it is shown to people, and the reason if there is more to say."""

    shown: str
    reason: str | None = None


Annotation = (
    Named
    | ListAnnotation
    | DictAnnotation
    | Alternatives
    | Choice
    | Opaque
    | Iteration
    | Model
    | Unsupported
)

_NONE = Named("none")


def is_optional(annotation: Annotation) -> bool:
    """Tell whether None is one of the values."""
    match annotation:
        case Alternatives(of):
            return any(is_optional(each) for each in of)
        case Choice(values):
            return None in values
        case Opaque(of):
            return is_optional(of)
    return annotation == _NONE


def input_type(annotation: Annotation, where: str) -> tuple[Type, tuple[str | int, ...] | None]:
    """Return the type of an input, and the values it may have when it is a Literal.

    Raises SignatureError when there is no such type.
    """
    inner, nullable = _split_optional(annotation)
    choices: tuple[str | int, ...] | None = None
    if isinstance(inner, Choice):
        nullable = nullable or None in inner.values
        choices = tuple(each for each in inner.values if isinstance(each, str | int))
        kinds = {type(each) for each in inner.values if each is not None}
        if kinds not in ({str}, {int}):
            raise SignatureError(where, "a Literal can be of text or of integers", SUPPORTED)
        type_: Type = Scalar("str" if kinds == {str} else "int")
    else:
        type_ = _input_value(inner, where)
    return Nullable(type_) if nullable else type_, choices


def output_type(annotation: Annotation, where: str) -> tuple[Type, OutputMode]:
    """Return the type of an output or of its items; raises SignatureError if there is none."""
    if not isinstance(annotation, Iteration):
        return _output_value(annotation, where, ()), "value"
    if annotation.item is None:
        raise SignatureError(where, "the type of the items is missing", "write `Iterator[str]`")
    return _output_value(annotation.item, where, ()), annotation.mode


def _input_value(annotation: Annotation, where: str) -> Type:
    match annotation:
        case Named("list"):
            raise _refusal(annotation, where, "say of what: `list[str]`, or `list[dict]`")
        case Named(name) if name != "none":
            return _named(name)
        case ListAnnotation(item):
            return ListOf(_input_value(item, where))
        case DictAnnotation() | Model(typed_dict=True):
            return AnyObject()
        case Alternatives():
            inner, nullable = _split_optional(annotation)
            if nullable:
                return Nullable(_input_value(inner, where))
            return OneOf(tuple(_input_value(each, where) for each in annotation.of))
        case Opaque(of):
            return _opaque(of)
        case Model():
            raise _refusal(annotation, where, "take a `dict` and read its fields")
    raise _refusal(annotation, where, SUPPORTED)


def _output_value(annotation: Annotation, where: str, outer: tuple[object, ...]) -> Type:
    """Return the type of an output; `outer` are the keys of the classes it is a field of."""
    match annotation:
        case Named("list"):
            return ListOf(AnyObject())
        case Named(name) if name != "none":
            return _named(name)
        case ListAnnotation(item):
            return ListOf(_output_value(item, where, outer))
        case DictAnnotation(Named("object")):
            return AnyObject()
        case DictAnnotation(value):
            return MapOf(_output_value(value, where, outer))
        case Opaque(of):
            return _opaque(of)
        case Alternatives():
            inner, nullable = _split_optional(annotation)
            if nullable:
                return Nullable(_output_value(inner, where, outer))
        case Model(name, key, _, fields):
            if key in outer:
                raise SignatureError(where, f"{name} contains itself", "return a dict")
            return Record(
                tuple(
                    RecordField(
                        each.name,
                        _output_value(each.annotation, where, (*outer, key)),
                        each.required,
                    )
                    for each in fields()
                )
            )
    raise _refusal(annotation, where, _SUPPORTED_OUTPUTS)


def _named(name: NamedType) -> Type:
    if name in get_args(ScalarName):
        return Scalar(cast("ScalarName", name))
    return AnyObject()


def _opaque(annotation: Annotation) -> Type:
    """Return the shape of what `annotation` hides: an object or a list of them, maybe null."""
    if isinstance(annotation, Opaque):
        return _opaque(annotation.of)
    inner, nullable = _split_optional(annotation)
    if nullable:
        return Nullable(_opaque(inner))
    if annotation == Named("list") or isinstance(annotation, ListAnnotation):
        return ListOf(AnyObject())
    return AnyObject()


def _split_optional(annotation: Annotation) -> tuple[Annotation, bool]:
    """Return `annotation` without None, and whether None was in it."""
    match annotation:
        case Alternatives(of) if _NONE in of and of != (_NONE,):
            rest = tuple(each for each in of if each != _NONE)
            return (rest[0] if len(rest) == 1 else Alternatives(rest)), True
        case Opaque(of):
            inner, nullable = _split_optional(of)
            return Opaque(inner), nullable
    return annotation, False


def _refusal(annotation: Annotation, where: str, hint: str) -> SignatureError:
    problem = f"the type `{_shown(annotation)}` is not supported"
    if isinstance(annotation, Unsupported) and annotation.reason is not None:
        problem += f": {annotation.reason}"
    return SignatureError(where, problem, hint)


def _shown(annotation: Annotation) -> str:
    match annotation:
        case Named(name):
            shown = {"object": "dict", "none": "NoneType", "path": "Path", "file": "File"}
            return shown.get(name, name)
        case ListAnnotation(item):
            return f"list[{_shown(item)}]"
        case DictAnnotation(value):
            return f"dict[str, {_shown(value)}]"
        case Alternatives(of):
            return " | ".join("None" if each == _NONE else _shown(each) for each in of)
        case Choice(values):
            return f"Literal[{', '.join(map(repr, values))}]"
        case Opaque(of):
            return f"Annotated[{_shown(of)}, Opaque]"
        case Iteration(_, item):
            return "Iterator" if item is None else f"Iterator[{_shown(item)}]"
        case Model(name) | Unsupported(name):
            return name
