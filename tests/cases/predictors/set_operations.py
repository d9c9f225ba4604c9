# ruff: noqa
# mypy: ignore-errors
from cog import Input

A = {"x", "y"}
B = frozenset(["y", "z"])


class Predictor:
    def predict(
        self,
        a: str = Input(default="y", choices=sorted(A & B)),
        b: str = Input(default="x", choices=sorted(A | B, reverse=True)),
        c: int = len(A.union(B)),
        d: str = Input(default="x", choices=sorted(A - B)),
    ) -> str:
        return a
