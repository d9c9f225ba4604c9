# ruff: noqa
# mypy: ignore-errors
from cog import Input

COMMON = {"ge": 0, "le": 10}


class Predictor:
    def predict(
        self,
        a: int = Input(**COMMON),
        b: int = Input(default=3, **COMMON, description="b"),
        c: int = Input(4, **{**COMMON, "le": 20}),
    ) -> str:
        return ""
