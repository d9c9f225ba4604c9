# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input

CODES = {"English": "en", "German": "de"}


class Predictor(BasePredictor):
    def predict(
        self,
        language: str = Input(default="None", choices=["None"] + sorted(list(CODES.keys()))),
        aspect: str = Input(
            default="1:1", choices=list({"1:1": (1024, 1024), "16:9": (1344, 768)}.keys())
        ),
    ) -> str:
        return language
