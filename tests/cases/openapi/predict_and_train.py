# ruff: noqa
# mypy: ignore-errors
from cog import BaseModel, BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(self, text: str) -> str:
        return text


class TrainingOutput(BaseModel):
    weights: Path


def train(n: int = Input(description="how many", ge=1, le=10)) -> TrainingOutput:
    return TrainingOutput(weights=Path("weights.bin"))
