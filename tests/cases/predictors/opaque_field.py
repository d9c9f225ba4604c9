# ruff: noqa
# mypy: ignore-errors
from typing import Annotated, Optional

import cog
from cog import BaseModel, Opaque


class Raw:
    pass


class Output(BaseModel):
    raw: Annotated[Raw, Opaque]
    many: Annotated[list[Raw], cog.Opaque]
    maybe: Annotated[Optional[Raw], Opaque]
    annotated: Annotated[int, "note"] = 3


class Predictor:
    def predict(self, a: Annotated[int, "note"]) -> Output:
        return None
