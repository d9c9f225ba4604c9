# ruff: noqa
# mypy: ignore-errors
from typing import Optional, Union

from cog import Input


class Predictor:
    def predict(
        self,
        a: Union[int, str],
        b: int | float | str = 1.5,
        c: Optional[Union[str, float]] = None,
        d: Union[bool, int, None] = Input(default=None, description="either"),
        e: Union[int, Union[str, int]] = "x",
    ) -> str:
        return ""
