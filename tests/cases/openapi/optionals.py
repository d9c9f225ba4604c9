# ruff: noqa
# mypy: ignore-errors
from typing import List, Optional

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        a: Optional[str],
        b: Optional[int] = None,
        c: float | None = Input(default=None, ge=0, description="c"),
        d: Optional[bool] = True,
        e: Optional[Path] = None,
        f: Optional[List[str]] = Input(default=None),
        g: Optional[dict] = None,
    ) -> str:
        return ""
