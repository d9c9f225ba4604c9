# ruff: noqa
# mypy: ignore-errors
from cog import File


class Predictor:
    def predict(self, a: str) -> File:
        return None
