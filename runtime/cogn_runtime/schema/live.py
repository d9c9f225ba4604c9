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
from collections.abc import Callable, Iterator
from typing import Any

import cog
from cog.input import FieldInfo
from cogn_runtime.schema.annotations import (
    SUPPORTED,
    Alternatives,
    Annotation,
    Choice,
    DictAnnotation,
    Iteration,
    ListAnnotation,
    Model,
    ModelField,
    Named,
    NamedType,
    Opaque,
    Unsupported,
    input_type,
    is_optional,
    output_type,
)
from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.rules import checked, checked_input, plain
from cogn_runtime.schema.signature import MISSING, InputField, Json, Missing, OutputMode, Signature

__all__ = ["signature_of"]

_NAMED: dict[object, NamedType] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    cog.File: "file",
    cog.Secret: "secret",
    Any: "object",
    dict: "object",
    list: "list",
    None: "none",
    type(None): "none",
}
_ITERATORS: dict[object, OutputMode] = {
    cog.ConcatenateIterator: "concatenate",
    cog.AsyncConcatenateIterator: "concatenate",
    collections.abc.Iterator: "iterator",
    collections.abc.Iterable: "iterator",
    collections.abc.Generator: "iterator",
    collections.abc.AsyncIterator: "iterator",
    collections.abc.AsyncIterable: "iterator",
    collections.abc.AsyncGenerator: "iterator",
}

_MARKS = {"Required": True, "NotRequired": False}


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
    where = f"the return type of {name}"
    if declared.return_annotation is inspect.Signature.empty:
        raise SignatureError(where, "there is no annotation", "write `-> str`, for example")
    output, mode = output_type(_annotation(declared.return_annotation, module, where), where)
    return checked(
        Signature(
            name=name,
            inputs=tuple(
                _input(parameter, module, name) for parameter in declared.parameters.values()
            ),
            output=output,
            output_mode=mode,
            streaming=bool(getattr(function, "__cog_streaming__", False)),
            is_async=inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
            concurrency=getattr(function, "__cog_concurrent_max__", 1),
        )
    )


def _input(parameter: inspect.Parameter, module: dict[str, Any], owner: str) -> InputField:
    where = f"parameter `{parameter.name}` of {owner}"
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise SignatureError(
            where, "inputs are given by name", "write an ordinary parameter for each input"
        )
    if parameter.annotation is parameter.empty:
        raise SignatureError(where, "there is no type annotation", SUPPORTED)
    default = ... if parameter.default is parameter.empty else parameter.default
    info = default if isinstance(default, FieldInfo) else FieldInfo(default=default)
    type_, choices = input_type(_annotation(parameter.annotation, module, where), where)
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
            choices=choices if info.choices is None else _choices(info.choices),
            deprecated=info.deprecated,
            accept=info.accept,
        ),
        owner,
    )


def _choices(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(plain, values))


def _default(value: Any) -> Json | Missing:  # noqa: ANN401 - whatever the model's author wrote
    if value is ...:
        return MISSING
    if isinstance(value, cog.Secret):
        return value.get_secret_value()
    return typing.cast("Json", plain(value))  # the rules refuse what is not JSON


def _annotation(annotation: object, module: dict[str, Any], where: str) -> Annotation:
    """Return what `annotation` says, with the names in it looked up in `module`."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return _read(_hints(holder, where, module)["it"], where)


def _hints(
    owner: Any,  # noqa: ANN401 - a class, or anything with annotations
    where: str,
    module: dict[str, Any] | None = None,
) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner, globalns=module, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise _unresolved(where, error) from None


def _unresolved(where: str, error: Exception) -> SignatureError:
    return SignatureError(
        where,
        f"the annotation cannot be evaluated: {error}",
        "import what it names at the top of the module, not under TYPE_CHECKING",
    )


def _read(hint: Any, where: str) -> Annotation:  # noqa: ANN401 - any object can be an annotation
    while type(hint).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
        hint = hint.__value__
    if isinstance(hint, collections.abc.Hashable) and hint in _NAMED:
        return Named(_NAMED[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, type) and origin is None and issubclass(hint, pathlib.PurePath):
        return Named("path")
    if origin is typing.Annotated:
        inner = _read(arguments[0], where)
        return Opaque(inner) if cog.Opaque in arguments[1:] else inner
    if origin is typing.Literal:
        return Choice(arguments)
    if origin in (typing.Union, types.UnionType):
        return _alternatives([_read(each, where) for each in arguments])
    if origin is list:
        return ListAnnotation(_read(arguments[0], where)) if arguments else Named("list")
    if origin is dict:
        return DictAnnotation(_read(arguments[1], where)) if arguments else Named("object")
    if (mode := _ITERATORS.get(origin or hint)) is not None:
        return Iteration(mode, _read(arguments[0], where) if arguments else None)
    # On Python 3.10, `set[int]` passes for a class too, of the name `set`.
    if not isinstance(hint, type) or origin is not None:
        return Unsupported(str(hint))
    if _required_fields(hint) is None:
        return Unsupported(hint.__name__)
    return Model(hint.__name__, hint, typing.is_typeddict(hint), lambda: _fields(hint, where))


def _alternatives(parts: list[Annotation]) -> Annotation:
    flat = [each for part in parts for each in _parts(part)]
    unique = [each for index, each in enumerate(flat) if each not in flat[:index]]
    return unique[0] if len(unique) == 1 else Alternatives(tuple(unique))


def _parts(annotation: Annotation) -> tuple[Annotation, ...]:
    return annotation.of if isinstance(annotation, Alternatives) else (annotation,)


def _fields(cls: type, where: str) -> Iterator[ModelField]:
    """Yield the fields of a class that has some; Optional ones are required of TypedDicts only."""
    required = _required_fields(cls)
    hints = _hints(cls, where)
    for name in hints if typing.is_typeddict(cls) else required or ():
        hint, needed = hints[name], (required or {}).get(name, False)
        # Not from `__required_keys__`: it overlooks these when annotations are strings.
        if (mark := str(typing.get_origin(hint)).rpartition(".")[2]) in _MARKS:
            hint, needed = typing.get_args(hint)[0], _MARKS[mark]
        annotation = _read(hint, where)
        may_lack = is_optional(annotation) and not typing.is_typeddict(cls)
        yield ModelField(name, annotation, needed and not may_lack)


def _required_fields(cls: Any) -> dict[str, bool] | None:  # noqa: ANN401 - any class
    """Return the fields of a class and whether each has to be given; None for other classes."""
    if typing.is_typeddict(cls):
        keys: frozenset[str] = cls.__required_keys__
        return {name: name in keys for name in cls.__annotations__}
    if dataclasses.is_dataclass(cls):
        return {
            each.name: each.default is each.default_factory is dataclasses.MISSING
            for each in dataclasses.fields(cls)
        }
    if hasattr(cls, "model_fields"):  # pydantic's mark; importing it to ask is not needed
        return {name: each.is_required() for name, each in cls.model_fields.items()}
    if hasattr(cls, "__fields__"):  # the mark of pydantic 1
        return {name: bool(each.required) for name, each in cls.__fields__.items()}
    return None
