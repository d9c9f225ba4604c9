# ruff: noqa
# mypy: ignore-errors
from typing import Optional, Union

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        a: Union[str, int],
        b: int | float = 1,
        c: Optional[Union[str, bool]] = Input(default=None, description="c"),
    ) -> str:
        return ""
