"""`Signature`: what one `run()` takes and gives, as plain data with a stable JSON form."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from cogn_runtime.schema.types import Nullable, Type, type_from_json, type_to_json

__all__ = ["MISSING", "InputField", "Json", "Missing", "OutputMode", "Signature"]

Json = bool | int | float | str | list[Any] | dict[str, Any] | None

OutputMode = Literal["value", "iterator", "concatenate"]


class Missing(enum.Enum):
    """The type of `MISSING`."""

    MISSING = enum.auto()


MISSING: Final = Missing.MISSING
"""Stands for a default that was not given; None is a default like any other."""


@dataclass(frozen=True)
class InputField:
    """One input: its type, its default and what its values have to fulfil.

    `ge` and `le` bound numbers, `min_length`, `max_length` (in characters) and `regex` strings.
    """

    name: str
    type: Type
    default: Json | Missing = MISSING
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str | None = None
    choices: tuple[str | int | float, ...] | None = None
    deprecated: bool = False
    accept: str | None = None

    @property
    def required(self) -> bool:
        """Whether a request has to give this input."""
        return self.default is MISSING and not isinstance(self.type, Nullable)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form: `name`, `type`, and what differs from its default."""
        data: dict[str, Json] = {"name": self.name, "type": type_to_json(self.type)}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in data and value != field.default:
                data[field.name] = list(value) if field.name == "choices" else value
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> InputField:
        """Return the field whose JSON form is `data`; raises KeyError, TypeError or ValueError."""
        arguments = {**data, "type": type_from_json(data["type"])}
        if "choices" in arguments:
            arguments["choices"] = tuple(arguments["choices"])
        return cls(**arguments)


@dataclass(frozen=True)
class Signature:
    """What a `run()` takes and gives.

    `inputs` are in the order of the parameters. `output` is the type of the whole answer, or of
    one item of it when `output_mode` is not `value`. `streaming`: clients may read the items as
    they are made. `is_async`: it is an `async def`, and makes up to `concurrency` predictions at
    once.
    """

    name: str
    inputs: tuple[InputField, ...]
    output: Type
    output_mode: OutputMode = "value"
    streaming: bool = False
    is_async: bool = False
    concurrency: int = 1

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form, from which `from_json` makes an equal signature."""
        return {
            "name": self.name,
            "inputs": [each.to_json() for each in self.inputs],
            "output": type_to_json(self.output),
            "output_mode": self.output_mode,
            "streaming": self.streaming,
            "is_async": self.is_async,
            "concurrency": self.concurrency,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signature:
        """Return the signature whose JSON form is `data`.

        Raises KeyError, TypeError or ValueError for data that is no signature.
        """
        if data["output_mode"] not in get_args(OutputMode):
            raise ValueError(f"unknown output mode: {data['output_mode']!r}")
        return cls(
            name=data["name"],
            inputs=tuple(InputField.from_json(each) for each in data["inputs"]),
            output=type_from_json(data["output"]),
            output_mode=data["output_mode"],
            streaming=data["streaming"],
            is_async=data["is_async"],
            concurrency=data["concurrency"],
        )
