# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input

SCHEDULERS = {"DDIM": 1, "PNDM": 2}


class Predictor(BasePredictor):
    def predict(
        self,
        scheduler: str = Input(
            default="PNDM", choices=list(SCHEDULERS.keys()), description="which"
        ),
        aspect: str = Input(choices=["1:1", "16:9"]),
    ) -> str:
        return scheduler
