# ruff: noqa
# mypy: ignore-errors
from cog import Input

NAME = "a"
if __name__ == "__main__":
    NAME = "b"


class Predictor:
    def predict(self, a: str = Input(default=NAME)) -> str:
        return a


if __name__ == "__main__":
    print(Predictor().predict("x"))
