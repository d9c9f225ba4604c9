# ruff: noqa
# mypy: ignore-errors
import sys

from cog import Input

DEBUG = False
LIMIT = 10 if DEBUG else 100
if DEBUG:
    CHOICES = ["x"]
else:
    CHOICES = ["y", "z"]

if LIMIT > 50 and not DEBUG:
    NAME = "large"
elif LIMIT < 5:
    NAME = "tiny"

if sys.platform == "nowhere":
    SAME = 1
else:
    SAME = 1


class Predictor:
    def predict(
        self,
        a: int = Input(default=5, le=LIMIT),
        b: str = Input(default="y", choices=CHOICES),
        c: str = NAME,
        d: int = SAME,
        e: int = 1 if 1 < LIMIT <= 100 else 2,
    ) -> str:
        return ""
