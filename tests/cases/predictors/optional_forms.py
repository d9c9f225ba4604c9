# ruff: noqa
# mypy: ignore-errors
import typing
from typing import Optional, Union


class Predictor:
    def predict(
        self,
        a: Optional[str],
        b: Union[str, None],
        c: Union[None, str] = None,
        d: str | None = None,
        e: None | int = 5,
        f: typing.Optional[list[int]] = None,
        g: list[str] | None = None,
    ) -> str:
        return ""
