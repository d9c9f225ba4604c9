# ruff: noqa
# mypy: ignore-errors
from __future__ import annotations

import pathlib
import typing as t

from cog import Input


class Predictor:
    def predict(
        self,
        a: pathlib.Path | None = None,
        b: t.Union[int, str] = 1,
        c: list[t.Any] | None = Input(default=None),
        d: t.Literal["x", "y"] | None = None,
    ) -> dict[str, t.Any]:
        return {}
