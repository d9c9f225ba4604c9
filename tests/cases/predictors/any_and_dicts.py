# ruff: noqa
# mypy: ignore-errors
from typing import Any, Dict, List

from cog import Input


class Predictor:
    def predict(
        self,
        data: Any,
        config: dict,
        table: Dict[str, int] = {"a": 1},
        nested: dict[str, list[int]] = Input(default={}),
        messages: List[dict] = Input(description="chat"),
        things: list[Any] = [],
        bare: Dict = {},
    ) -> Any:
        return data
