# ruff: noqa
# mypy: ignore-errors
from cog import Input

CHOICES = ["a"]
CHOICES.append("b")
CHOICES += ["c"]
CHOICES.extend(each.upper() for each in ["d"])
ALIAS = CHOICES
ALIAS.insert(0, "first")
TABLE = {}
TABLE["x"] = 1
TABLE.update({"y": 2})
for name in ("p", "q"):
    TABLE[name] = len(name)
A, (B, C) = 1, (2, 3)
COUNT = 0
COUNT += 5


class Predictor:
    def predict(
        self,
        a: str = Input(default="b", choices=CHOICES),
        b: str = Input(default="p", choices=list(TABLE)),
        c: int = A + B + C,
        d: int = COUNT,
    ) -> str:
        return ""
