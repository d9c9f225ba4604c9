# ruff: noqa
# mypy: ignore-errors
from typing import Optional

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        p00: str,
        p01: int = 1,
        p02: float = 2.0,
        p03: bool = True,
        p04: Optional[str] = None,
        p05: Path = None,
        p06: list[str] = [],
        p07: str = Input(default="a", choices=["a"]),
        p08: int = Input(default=None),
        p09: str = "",
        p10: Optional[Path] = Input(default=None, accept="audio/*"),
        p11: Optional[list[Path]] = None,
    ) -> Path:
        return p05
