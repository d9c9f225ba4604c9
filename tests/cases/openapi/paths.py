# ruff: noqa
# mypy: ignore-errors
import pathlib
from typing import List

from cog import BasePredictor, File, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        image: Path = Input(description="An image", accept="image/*"),
        plain: pathlib.Path = Input(description="As pathlib has it"),
        old: File = Input(description="An open file"),
        frames: List[Path] = Input(accept="image/png,image/jpeg"),
        table: Path = Path("data/table.csv"),
    ) -> Path:
        return image
