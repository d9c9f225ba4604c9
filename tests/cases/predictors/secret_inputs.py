# ruff: noqa
# mypy: ignore-errors
from typing import Optional

from cog import Input, Secret


class Predictor:
    def predict(
        self,
        key: Secret,
        token: Secret = Input(default=None),
        other: Optional[Secret] = Input(default=None, description="o"),
        given: Secret = Secret("s"),
    ) -> bool:
        return True
