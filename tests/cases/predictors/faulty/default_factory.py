# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(self, a: list[str] = Input(default_factory=list)) -> str:  # error: Input() has no keyword `default_factory`
        return a
