"""Checks the input of a request against the signature, and completes it."""

from __future__ import annotations

from typing import Any

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
    detail = [_entry(*each) for each in problems(_WHOLE_INPUT, given)]
    if detail:
        raise InvalidInputError(detail)
    complete: dict[str, Any] = {}
    for field in signature.inputs:
        if field.name in given:
            complete[field.name] = given[field.name]
            detail += [_entry(*each) for each in problems(field, given[field.name])]
        elif field.required:
            detail.append(_entry(field.name, "Field required", "value_error.missing"))
        else:
            complete[field.name] = None if field.default is MISSING else field.default
    if detail:
        raise InvalidInputError(sorted(detail, key=lambda each: each["loc"]))
    return complete, sorted(given.keys() - complete.keys())


def _entry(place: str, message: str, kind: str = "value_error") -> dict[str, Any]:
    return {"loc": ["body", "input", place], "msg": message, "type": kind}
