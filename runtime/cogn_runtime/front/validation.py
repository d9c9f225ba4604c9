"""Checks the input of a request against the signature, and completes it."""

from __future__ import annotations

from typing import Any

import msgspec

from cogn_runtime.schema import MISSING, AnyObject, InputField, Signature, problems

__all__ = ["InvalidInputError", "validated"]

_WHOLE_INPUT = InputField("__root__", AnyObject())


class InvalidInputError(Exception):
    """Raised when an input does not fit the signature; `detail` lists the problems as Cog does."""

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in detail))
        self.detail = detail


def validated(signature: Signature, given: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401
    """Return `given` with the defaults filled in, and the names in it that are no inputs.

    Raises InvalidInputError with all problems, sorted by the name of the input.
    """
    if not isinstance(given, dict):
        raise InvalidInputError([_entry(*each) for each in problems(_WHOLE_INPUT, given)])
    detail: list[dict[str, Any]] = []
    complete: dict[str, Any] = {}
    for field in signature.inputs:
        if field.name in given:
            complete[field.name] = value = given[field.name]
            # What is still JSON is an object for an input that takes any.
            checked = {} if isinstance(value, msgspec.Raw) else value
            detail += [_entry(*each) for each in problems(field, checked)]
        elif field.required:
            detail.append(_entry(field.name, "Field required", "value_error.missing"))
        else:
            complete[field.name] = None if field.default is MISSING else field.default
    if detail:
        raise InvalidInputError(sorted(detail, key=lambda each: each["loc"]))
    return complete, sorted(given.keys() - complete.keys())


def _entry(place: str, message: str, kind: str = "value_error") -> dict[str, Any]:
    return {"loc": ["body", "input", place], "msg": message, "type": kind}
