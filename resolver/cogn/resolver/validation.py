"""What pydantic finds wrong in a file, as errors that name the key and read like ours."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from types import NoneType

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from cogn.report import CognError, ProblemsError, Where
from cogn.resolver.errors import ConfigError
from cogn.resolver.yamlfile import Key

__all__ = ["config_error", "did_you_mean", "fault"]

_FAULT = "fault"
_EXPECTED = {
    "bool_type": "`true` or `false`",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_type": "a string",
    "tuple_type": "a list",
}
_GOT = {
    bool: "a boolean",
    dict: "a mapping",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a string",
    NoneType: "nothing",
}


def fault(message: str, *, hint: str | None = None) -> PydanticCustomError:
    """Return what a validator raises to say `message` about its value."""
    return PydanticCustomError(_FAULT, "{message}", {"message": message, "hint": hint})


def config_error(
    error: ValidationError, where: Callable[[Key], Where], *, known: Iterable[str] = ()
) -> CognError:
    """Return the `ConfigError` of what pydantic found wrong, a `ProblemsError` of several.

    `known` are the names of keys that may have been meant by one that is forbidden.
    """
    problems = []
    for details in error.errors(include_url=False):
        if details["type"] == "extra_forbidden":
            message, hint = "there is no such key", did_you_mean(str(details["loc"][-1]), known)
        else:
            message, hint = _described(details)
        problems.append(ConfigError(message, where=where(details["loc"]), hint=hint))
    problems.sort(key=lambda problem: (problem.where and problem.where.line) or 0)
    return problems[0] if len(problems) == 1 else ProblemsError(problems)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return a hint with the known name that is most like `name`, or None."""
    nearest = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean `{nearest[0]}`?" if nearest else None


def _described(details: ErrorDetails) -> tuple[str, str | None]:
    if details["type"] == _FAULT:
        context = details["ctx"]
        return context["message"], context["hint"]
    if expected := _EXPECTED.get(details["type"]):
        value = details["input"]
        got = _GOT.get(type(value), f"a {type(value).__name__}")
        quote = expected == "a string" and not isinstance(value, (dict, list, NoneType))
        return f"expected {expected}, got {got}", "put it in quotes" if quote else None
    return details["msg"], None
