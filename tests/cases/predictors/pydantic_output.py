# ruff: noqa
# mypy: ignore-errors
from typing import Annotated, Any, List, Optional

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class Item(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = Field(description="The name")
    score: float = Field(default=0.5, ge=0)
    tags: List[str] = Field(default_factory=list)
    maybe: Optional[int]
    must: int = Field(...)
    ellipsis: int = ...
    positional: int = Field(3)
    noted: Annotated[int, Field(description="n")]
    given: Annotated[int, Field(default=3)]
    made: Annotated[list[int], Field(default_factory=list)]
    _hidden: int = PrivateAttr(default=3)


class Output(pydantic.BaseModel):
    items: list[Item]
    any: Any = None


class Predictor:
    def predict(self, n: int) -> Output:
        return None
