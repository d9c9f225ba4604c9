"""The rules a signature has to fulfil, whichever way it is made.

Both ways of making a `Signature` end here, so that they accept the same code, refuse the same
code with the same words, and read the same default from it.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
import math
import pathlib
import re
from collections.abc import Iterator

from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.openapi import render
from cogn_runtime.schema.signature import MISSING, InputField, Signature
from cogn_runtime.schema.types import AnyObject, ListOf, Nullable, OneOf, Scalar, Type
from cogn_runtime.schema.values import problems

__all__ = ["checked", "checked_input", "plain"]

_NUMBERS = (Scalar("int"), Scalar("float"))
_CHOICE_TYPES: dict[Type, tuple[type, ...]] = {
    Scalar("str"): (str,),
    Scalar("int"): (int,),
    Scalar("float"): (int, float),
}
_FILES = (Scalar("path"), Scalar("file"))
_WRITTEN_AS: dict[str, tuple[tuple[type, ...], str]] = {
    "description": ((str,), "text"),
    "ge": ((int, float), "a number"),
    "le": ((int, float), "a number"),
    "min_length": ((int,), "an integer"),
    "max_length": ((int,), "an integer"),
    "regex": ((str,), "text"),
    "deprecated": ((bool,), "True or False"),
    "accept": ((str,), "text"),
}


def plain(value: object) -> object:
    """Return `value` with what JSON has another word for in that word.

    Paths are text, tuples are lists, members of an enumeration of text or numbers are its values.
    """
    match value:
        case pathlib.PurePath():
            return str(value)
        case enum.Enum() if isinstance(value, str | int | float):
            return value.value
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {key: plain(each) for key, each in value.items()}
    return value


def checked(signature: Signature) -> Signature:
    """Return `signature` after checking it as a whole; raises SignatureError."""
    where = f"the return type of {signature.name}"
    if isinstance(signature.output, Nullable):
        raise SignatureError(
            where,
            "Optional is not allowed as a return type",
            "return an empty value, or a BaseModel with an optional field",
        )
    if signature.output_mode == "concatenate" and signature.output != Scalar("str"):
        raise SignatureError(where, "only text can be concatenated", "use ConcatenateIterator[str]")
    if signature.streaming and signature.output_mode == "value":
        raise SignatureError(
            where, "@streaming needs an iterator", "use Iterator[...] or ConcatenateIterator[str]"
        )
    render(signature, version="")  # raises when two of its schemas would have one name
    return signature


def checked_input(field: InputField, owner: str) -> InputField:
    """Return `field` with Cog's reading of its default; raises SignatureError if it cannot be.

    `owner` is the name of the function, for messages. A default of None on a type that does not
    allow null is no default, except that it makes a `Secret` optional.
    """
    where = f"parameter `{field.name}` of {owner}"
    if field.default is None and not isinstance(field.type, Nullable):
        if field.type == Scalar("secret"):
            field = dataclasses.replace(field, type=Nullable(field.type))
        else:
            field = dataclasses.replace(field, default=MISSING)
    # Lazily, because each kind of check relies on those before it.
    for problem, hint in itertools.chain(
        _type_problems(field.type),
        _word_problems(field),
        _constraint_problems(field),
        _default_problems(field),
    ):
        raise SignatureError(where, problem, hint)
    return field


def _without_null(type_: Type) -> Type:
    return type_.of if isinstance(type_, Nullable) else type_


def _type_problems(type_: Type) -> Iterator[tuple[str, str]]:
    value = _without_null(type_)
    parts: tuple[Type, ...] = ()
    if isinstance(value, ListOf):
        parts = (value.item,)
        if isinstance(value.item, ListOf | Nullable | OneOf):
            yield (
                "a list of lists, of optional or of alternative values cannot be an input",
                "use a list of one simple type, or `list[Any]` for a list of objects",
            )
    elif isinstance(value, OneOf):
        parts = value.variants
        if any(part not in (*_NUMBERS, Scalar("str"), Scalar("bool")) for part in parts):
            yield (
                "a union can only be of str, int, float and bool",
                "split it into two optional parameters",
            )
    for part in (value, *parts):
        if not isinstance(part, Scalar | AnyObject | ListOf | OneOf):
            yield "this type can only be an output", "take a `dict` and read its fields"


def _word_problems(field: InputField) -> Iterator[tuple[str, str]]:
    for name, (types, shown) in _WRITTEN_AS.items():
        value = getattr(field, name)
        if value is None:
            continue
        wrong = not isinstance(value, types) or (bool not in types and isinstance(value, bool))
        if wrong or (isinstance(value, float) and not math.isfinite(value)):
            yield f"{name} has to be {shown}, not {value!r}", "correct it, or leave it out"


def _constraint_problems(field: InputField) -> Iterator[tuple[str, str]]:
    value = _without_null(field.type)
    if (field.ge, field.le) != (None, None) and value not in _NUMBERS:
        yield "ge and le bound numbers only", "annotate it as int or float, or leave them out"
    lengths = (field.min_length, field.max_length, field.regex)
    if lengths != (None, None, None) and value != Scalar("str"):
        yield (
            "min_length, max_length and regex constrain text only",
            "annotate it as str, or leave them out",
        )
    if field.regex is not None:
        try:
            re.compile(field.regex)
        except re.error as error:
            yield f"regex {field.regex!r} is not a regular expression: {error}", "correct it"
    item = value.item if isinstance(value, ListOf) else value
    if field.accept is not None and item not in _FILES:
        yield "accept is only valid on Path or File inputs", "leave it out"
    if field.choices is not None:
        allowed = _CHOICE_TYPES.get(value)
        if allowed is None:
            yield "choices need a parameter of type str, int or float", "change its annotation"
        elif not field.choices:
            yield "choices is empty", "list the values allowed"
        elif any(isinstance(each, bool) or not isinstance(each, allowed) for each in field.choices):
            yield "choices are not of the annotated type", "write them like the annotation"


def _default_problems(field: InputField) -> Iterator[tuple[str, str]]:
    if field.default is MISSING:
        return
    try:
        json.dumps(field.default, allow_nan=False)
    except (TypeError, ValueError):
        yield (
            f"the default {field.default!r} cannot be written as JSON",
            "use a str, number, bool, list or dict",
        )
        return
    for problem in problems(field, field.default):
        yield f"the default is none that a client could send: {problem.message}", "correct it"
