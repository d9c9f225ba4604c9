# ruff: noqa
# mypy: ignore-errors
from typing import Dict, List, Optional

from cog import BaseModel


class A(BaseModel):
    x: int


class B(BaseModel):
    a: A
    more: List[A]


class C(BaseModel):
    b: Dict[str, B]
    maybe: Optional[List[B]] = None


class Predictor:
    def predict(self, n: int) -> Dict[str, C]:
        return {}
