"""Makes a `Signature` from loaded code, with `inspect` and `typing`.

Needs `cog`, so it is for the model's environment only.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import cog
from cog.input import FieldInfo
from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.rules import checked, checked_input
from cogn_runtime.schema.signature import MISSING, InputField, Json, Missing, OutputMode, Signature
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

__all__ = ["signature_of"]

_SCALARS: dict[object, ScalarName] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    cog.File: "file",
    cog.Secret: "secret",
}
_ITERATORS: dict[object, OutputMode] = {
    cog.ConcatenateIterator: "concatenate",
    collections.abc.Iterator: "iterator",
    collections.abc.Iterable: "iterator",
    collections.abc.Generator: "iterator",
}
_SUPPORTED = (
    "use str, int, float, bool, cog.Path, cog.Secret, dict, a list of one of them, "
    "or Optional of any"
)


def signature_of(function: Callable[..., Any], name: str) -> Signature:
    """Return the signature of `function`, a plain function or a bound method.

    `name` is what messages and the signature call it. Raises SignatureError when a parameter or
    the return type cannot be served.
    """
    try:
        declared = inspect.signature(function)
    except NameError as error:  # from Python 3.14 on, annotations are evaluated when looked at
        raise _unresolved(f"an annotation of {name}", error) from None
    module = getattr(inspect.unwrap(function), "__globals__", {})
    if declared.return_annotation is inspect.Signature.empty:
        raise SignatureError(
            f"the return type of {name}", "there is no annotation", "write `-> str`, for example"
        )
    output, mode = _output(declared.return_annotation, module, f"the return type of {name}")
    return checked(
        Signature(
            name=name,
            inputs=tuple(
                _input(parameter, module, name) for parameter in declared.parameters.values()
            ),
            output=output,
            output_mode=mode,
            streaming=bool(getattr(function, "__cog_streaming__", False)),
        )
    )


def _input(parameter: inspect.Parameter, module: dict[str, Any], owner: str) -> InputField:
    where = f"parameter `{parameter.name}` of {owner}"
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise SignatureError(
            where, "inputs are given by name", "write an ordinary parameter for each input"
        )
    if parameter.annotation is parameter.empty:
        raise SignatureError(where, "there is no type annotation", _SUPPORTED)
    default = ... if parameter.default is parameter.empty else parameter.default
    info = default if isinstance(default, FieldInfo) else FieldInfo(default=default)
    annotation = _evaluate(parameter.annotation, module, where)
    type_, choices = _input_type(annotation, where)
    if choices is not None and info.choices is not None:
        raise SignatureError(where, "both Literal and choices list its values", "keep one of them")
    return checked_input(
        InputField(
            name=parameter.name,
            type=type_,
            default=_default(info.default),
            description=info.description,
            ge=info.ge,
            le=info.le,
            min_length=info.min_length,
            max_length=info.max_length,
            regex=info.regex,
            choices=choices or info.choices,
            deprecated=info.deprecated,
            accept=info.accept,
        ),
        owner,
    )


def _default(value: Any) -> Json | Missing:  # noqa: ANN401 - whatever the model's author wrote
    if value is ...:
        return MISSING
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, cog.Secret):
        return value.get_secret_value()
    return typing.cast("Json", value)  # the rules refuse what is not JSON


def _evaluate(annotation: object, module: dict[str, Any], where: str) -> Any:  # noqa: ANN401
    """Return `annotation` with the names in it looked up in `module`."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=module)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise _unresolved(where, error) from None


def _unresolved(where: str, error: Exception) -> SignatureError:
    return SignatureError(
        where,
        f"the annotation cannot be evaluated: {error}",
        "import what it names at the top of the module, not under TYPE_CHECKING",
    )


def _input_type(annotation: Any, where: str) -> tuple[Type, tuple[Any, ...] | None]:  # noqa: ANN401
    """Return the type of an input, and the values it may have when it is a Literal."""
    inner, nullable = _split_optional(annotation)
    choices = None
    if typing.get_origin(inner) is typing.Literal:
        choices = typing.get_args(inner)
        kinds = {type(each) for each in choices}
        inner = kinds.pop()
        if kinds or inner not in (str, int):
            raise SignatureError(where, "a Literal can be of text or of integers", _SUPPORTED)
    type_ = _value_type(inner, where)
    return Nullable(type_) if nullable else type_, choices


def _value_type(annotation: Any, where: str) -> Type:  # noqa: ANN401
    """Return the type of a value that is not a class with fields."""
    found = _simple_type(annotation)
    if found is not None:
        return found
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return ListOf(_value_type(arguments[0], where))
    if origin is dict or typing.is_typeddict(annotation):
        return AnyObject()
    if origin in (typing.Union, types.UnionType):
        inner, nullable = _split_optional(annotation)
        if nullable:
            return Nullable(_value_type(inner, where))
        return OneOf(tuple(_value_type(each, where) for each in arguments))
    raise _unsupported(annotation, where)


def _output(annotation: object, module: dict[str, Any], where: str) -> tuple[Type, OutputMode]:
    resolved = _evaluate(annotation, module, where)
    origin = typing.get_origin(resolved) or resolved
    mode = _ITERATORS.get(origin)
    if mode is None:
        return _output_type(resolved, where, ()), "value"
    arguments = typing.get_args(resolved)
    if not arguments:
        raise SignatureError(where, "the type of the items is missing", "write `Iterator[str]`")
    return _output_type(arguments[0], where, ()), mode


def _output_type(annotation: Any, where: str, outer: tuple[object, ...]) -> Type:  # noqa: ANN401
    """Return the type of an output; `outer` are the classes it is a field of."""
    found = _simple_type(annotation)
    if found is not None:
        return found
    inner, nullable = _split_optional(annotation)
    if nullable:
        return Nullable(_output_type(inner, where, outer))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is list:
        return ListOf(AnyObject())
    if origin is list:
        return ListOf(_output_type(arguments[0], where, outer))
    if origin is dict:
        value = _output_type(arguments[1], where, outer)
        return AnyObject() if arguments[1] is Any else MapOf(value)
    if annotation in outer:
        raise SignatureError(where, f"{annotation.__name__} contains itself", "return a dict")
    fields = _record_fields(annotation)
    if fields is None:
        raise _unsupported(annotation, where)
    return Record(
        tuple(
            RecordField(name, _output_type(hint, where, (*outer, annotation)), required)
            for name, (hint, required) in fields.items()
        )
    )


def _record_fields(cls: Any) -> dict[str, tuple[Any, bool]] | None:  # noqa: ANN401
    """Return type and necessity of each field of a class with fields, None for anything else.

    A field is necessary when it has no default and is not Optional.
    """
    if not isinstance(cls, type):
        return None
    if typing.is_typeddict(cls):
        required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]
    elif dataclasses.is_dataclass(cls):
        required = frozenset(
            each.name
            for each in dataclasses.fields(cls)
            if each.default is each.default_factory is dataclasses.MISSING
        )
    elif hasattr(cls, "model_fields"):  # pydantic's mark; importing it to ask is not needed
        required = frozenset(key for key, each in cls.model_fields.items() if each.is_required())
    else:
        return None
    fields = {}
    for name, hint in typing.get_type_hints(cls).items():
        if typing.get_origin(hint) is not typing.ClassVar:
            fields[name] = (hint, name in required and not _split_optional(hint)[1])
    return fields


def _simple_type(annotation: Any) -> Type | None:  # noqa: ANN401
    """Return the type without parts that `annotation` names, if it does."""
    if annotation in (Any, dict):
        return AnyObject()
    if isinstance(annotation, type) and issubclass(annotation, pathlib.PurePath):
        return Scalar("path")
    name = _SCALARS.get(annotation)
    return None if name is None else Scalar(name)


def _split_optional(annotation: Any) -> tuple[Any, bool]:  # noqa: ANN401
    """Return `annotation` without None, and whether None was in it."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation, False
    rest = tuple(each for each in typing.get_args(annotation) if each is not type(None))
    if len(rest) == len(typing.get_args(annotation)):
        return annotation, False
    return typing.Union[rest], True  # noqa: UP007 - made from a tuple


def _unsupported(annotation: Any, where: str) -> SignatureError:  # noqa: ANN401
    # On Python 3.10, `set[int]` passes for a class too, of the name `set`.
    is_class = isinstance(annotation, type) and typing.get_origin(annotation) is None
    shown = annotation.__name__ if is_class else str(annotation)
    return SignatureError(where, f"the type `{shown}` is not supported", _SUPPORTED)
