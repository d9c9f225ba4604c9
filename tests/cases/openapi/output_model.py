# ruff: noqa
# mypy: ignore-errors
from typing import Any, Dict, List, Optional

from cog import BaseModel, BasePredictor, File, Path, Secret


class Output(BaseModel):
    text: str
    count: int
    score: float
    sure: bool
    image: Path
    raw: File
    names: List[str]
    table: Dict[str, List[float]]
    anything: Any
    maybe: Optional[str]
    files: Optional[List[Path]] = None
    label_of_it: str = "x"


class Predictor(BasePredictor):
    def predict(self, n: int) -> Output:
        return None
