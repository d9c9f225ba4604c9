# ruff: noqa
# mypy: ignore-errors
from typing import Any, Dict, TypedDict

from cog import BasePredictor, Input


class Options(TypedDict, total=False):
    top: int


class Predictor(BasePredictor):
    def predict(
        self,
        a: dict,
        b: Dict[str, int] = Input(default={"x": 1}, description="b"),
        c: Options = {},
        d: Any = Input(default={"any": [1.0, "text", None]}),
    ) -> dict:
        return a
