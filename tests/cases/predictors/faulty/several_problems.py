# ruff: noqa
# fmt: off
# mypy: ignore-errors
from typing import Optional

from cog import Input


class Predictor:
    def predict(
        self,
        a: int = "x",  # error: "x" is not of type "integer"
        b: str = Input(ge=3),  # error: ge and le bound numbers only
        c: set = None,  # error: the type `set` is not supported
        *rest: int,  # error: parameter `rest` of Predictor.predict: inputs are given by name
    ) -> Optional[str]:
        return a
