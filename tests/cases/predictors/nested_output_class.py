# ruff: noqa
# mypy: ignore-errors
from cog import BaseModel, BasePredictor


class Predictor(BasePredictor):
    class Output(BaseModel):
        text: str

    def predict(self, a: str) -> Output:
        return self.Output(text=a)
