# ruff: noqa
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        a: float = Input(default=0.5, choices=[0.25, 0.5, 1]),
        b: float = Input(default=1.0, ge=0.0, le=2.0),
        c: int = Input(default=2.0),
        d: float = 3,
    ) -> float:
        return a
