# ruff: noqa
# mypy: ignore-errors
from cog import Input


class Config:
    SIZES = [1, 2]
    NAME = "x"

    class Inner:
        LIMIT = 7


class Derived(Config):
    EXTRA = Config.SIZES + [3]


class Predictor:
    CHOICES = ["p", "q"]

    def predict(
        self,
        a: int = Input(default=1, choices=Derived.EXTRA),
        b: str = Derived.NAME,
        c: str = Input(default=CHOICES[0], choices=CHOICES),
        d: int = Input(default=1, le=Config.Inner.LIMIT),
    ) -> str:
        return ""
