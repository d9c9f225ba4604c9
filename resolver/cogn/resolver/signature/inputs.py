"""Reads the default of a parameter, which may be an `Input(...)`."""

from __future__ import annotations

import difflib
import pathlib
from dataclasses import dataclass, field
from typing import Any, cast

from cogn.report import Where
from cogn.resolver.signature import operations
from cogn.resolver.signature.errors import PredictorError, UnknownValueError
from cogn.resolver.signature.evaluate import Evaluator
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.outside import PATHS
from cogn.resolver.signature.values import Call, EnumMember, External, Subscripted, Unknown
from cogn_runtime.schema import MISSING, Json
from cogn_runtime.schema.rules import plain
from cogn_runtime.schema.signature import Missing

__all__ = ["Described", "describe"]

_KEYWORDS = (
    *("default", "description", "ge", "le", "min_length", "max_length", "regex", "choices"),
    *("deprecated", "accept"),
)


@dataclass
class Described:
    """What is said of an input besides its type, and what is wrong with it."""

    default: Json | Missing = MISSING
    words: dict[str, Any] = field(default_factory=dict)
    """The other arguments of `Input()` by their names."""
    problems: list[PredictorError] = field(default_factory=list)


def describe(default: object, name: str, where: Where, evaluator: Evaluator) -> Described:
    """Return what the default of a parameter says; `name` is what messages call the parameter."""
    if isinstance(default, Call) and default.function == "cog.Input":
        return _from_input(default, name, evaluator)
    described = Described()
    _take(described, "default", default, name, where, evaluator)
    return described


def _from_input(call: Call, name: str, evaluator: Evaluator) -> Described:
    described = Described()
    given = dict(call.keywords)
    if call.arguments:
        given = {"default": call.arguments[0], **given}
    if len(call.arguments) > 1:
        described.problems.append(
            PredictorError(
                f"{name}: Input() takes one positional argument, the default",
                where=call.where,
                hint="name the others: `Input(1, ge=0)`",
            )
        )
    for keyword, value in given.items():
        if keyword in _KEYWORDS:
            _take(described, keyword, value, name, call.where, evaluator)
        else:
            described.problems.append(
                PredictorError(
                    f"{name}: Input() has no keyword `{keyword}`",
                    where=call.where,
                    hint=_instead_of(keyword),
                )
            )
    return described


def _instead_of(keyword: str) -> str:
    if keyword == "default_factory":
        return "give `default` itself: every prediction gets its own copy"
    if nearest := difflib.get_close_matches(keyword, _KEYWORDS, n=1):
        return f"did you mean `{nearest[0]}`?"
    return f"it knows {', '.join(_KEYWORDS)}"


def _take(
    described: Described,
    keyword: str,
    value: object,
    name: str,
    where: Where,
    evaluator: Evaluator,
) -> None:
    """Add one argument, or the reason why it is not known."""
    try:
        if keyword == "default":
            described.default = _default(value)
        elif keyword == "choices":
            described.words[keyword] = None if value is None else _choices(value, evaluator)
        elif keyword == "deprecated":
            described.words[keyword] = bool(_json(value))
        else:
            described.words[keyword] = _json(value)
    except UnknownValueError as error:
        described.problems.append(error.of(f"{name}, {keyword}"))
    except Refusal as refusal:
        unknown = UnknownValueError.because(keyword, str(refusal), where)
        described.problems.append(unknown.of(name))


def _default(value: object) -> Json | Missing:
    if value is ...:
        return MISSING
    return cast("Json", _json(value))  # the rules refuse what is not JSON


def _choices(value: object, evaluator: Evaluator) -> tuple[Any, ...]:
    if isinstance(value, Unknown):
        raise value.error
    if isinstance(value, str):
        raise Refusal("it is text; write a list")
    return tuple(map(_json, evaluator.items(value)))


def _json(value: object) -> object:
    """Return `value` as the rules want to see it; raises UnknownValueError or Refusal."""
    operations.weigh(value)
    return plain(_known(value))


def _known(value: object) -> object:
    match value:
        case Unknown(error):
            raise error
        case list() | tuple():
            return [_known(each) for each in value]
        case dict():
            return {_known(key): _known(each) for key, each in value.items()}
        case EnumMember(is_data=True, value=data):
            return _known(data)
        case Call(function, arguments) if function in PATHS:
            return str(pathlib.PurePosixPath(*map(str, map(_known, arguments))))
        case Call("cog.Secret", arguments, keywords):
            return _known((*arguments, *keywords.values(), None)[0])
        case str() | int() | float() | complex() | bytes() | set() | frozenset() | None:
            return value
        case EnumMember():
            return value
        case _ if type(value) in (range, type({}.keys()), type({}.values()), type({}.items())):
            return value
    origin = value.origin if isinstance(value, Subscripted) else value
    if isinstance(origin, External):
        raise Refusal(f"`{origin}` comes from outside the project")
    raise Refusal("it is no text, number, list or dict")
