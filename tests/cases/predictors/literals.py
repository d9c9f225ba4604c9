# ruff: noqa
# mypy: ignore-errors
from typing import Literal, Optional

Mode = Literal["fast", "slow"]
Both = Literal[Mode, "auto"]


class Predictor:
    def predict(
        self,
        mode: Mode = "fast",
        both: Both = "auto",
        size: Literal[1, 2, 4] = 2,
        maybe: Optional[Literal["x", "y"]] = None,
        other: Literal["p", "q", None] = None,
        required: Literal["only"] = "only",
    ) -> str:
        return ""
