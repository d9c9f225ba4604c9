# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import BaseModel


class Config(BaseModel):
    a: int


class Predictor:
    def predict(self, a: Config) -> str:  # error: the type `Config` is not supported
        return a
