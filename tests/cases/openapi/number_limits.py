# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        a: int,
        b: float,
        c: int = 3,
        d: float = 0.5,
        e: int = Input(description="between", default=5, ge=-1, le=10),
        f: float = Input(default=1.0, ge=0.5, le=2.0),
        g: int = Input(ge=0),
        h: bool = True,
        i: bool = Input(description="flag"),
    ) -> float:
        return b
