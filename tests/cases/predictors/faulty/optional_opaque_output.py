# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Annotated, Optional

from cog import Opaque


class Predictor:
    def predict(self) -> Annotated[Optional[dict], Opaque]:  # error: Optional is not allowed as a return
        return None
