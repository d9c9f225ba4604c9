# ruff: noqa
# mypy: ignore-errors
import cog
from cog import Input as I
from cog import Path as File_


class Predictor(cog.BasePredictor):
    def predict(self, image: File_ = I(description="x"), n: int = cog.Input(default=1)) -> cog.Path:
        return image
