# ruff: noqa
# mypy: ignore-errors
from cog import Input

TEXT = "a" + "b" + "c" + "d" + "e" + "f" + "g" + "h" + "i" + "j" + "k" + "l" + "m" + "n" + "o" + "p"


class Predictor:
    def predict(self, a: str = Input(default=TEXT, description=TEXT[3:5])) -> str:
        return a
