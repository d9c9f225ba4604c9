# ruff: noqa
# mypy: ignore-errors
from typing import Annotated, Any, Dict, List, Optional

from cog import Input, Opaque


class Settings:
    pass


class Predictor:
    def predict(
        self,
        settings: Annotated[Settings, Opaque],
        several: Annotated[list[Settings], Opaque],
        inner: List[Annotated[Dict[str, int], Opaque]],
        maybe: Optional[Annotated[Settings, Opaque]] = None,
        inside: Annotated[Optional[Settings], Opaque] = Input(default=None),
        many: Annotated[Optional[List[Settings]], Opaque] = None,
    ) -> Annotated[List[Settings], Opaque]:
        return []
