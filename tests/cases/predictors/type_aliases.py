# ruff: noqa
# mypy: ignore-errors
from typing import Dict, List, Optional, Union

from cog import Path

Image = Path
Images = List[Image]
Number = Union[int, float]
Text = str
MaybeText = Optional[Text]
Table = Dict[str, List[int]]
Later = "Images"
Pipe = int | str


class Predictor:
    def predict(
        self, a: Images, b: Number = 1, c: MaybeText = None, d: Text = "x", e: Pipe = 2
    ) -> Table:
        return {}
