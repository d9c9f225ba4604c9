# ruff: noqa
# mypy: ignore-errors
from typing import Annotated, List, Optional

from cog import BasePredictor, Input, Opaque


class Settings:
    pass


class Predictor(BasePredictor):
    def predict(
        self,
        one: Annotated[Settings, Opaque],
        many: Annotated[List[Settings], Opaque],
        maybe: Annotated[Optional[Settings], Opaque] = Input(default=None),
    ) -> Annotated[List[Settings], Opaque]:
        return []
