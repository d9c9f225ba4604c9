# ruff: noqa
# mypy: ignore-errors
# reference: train
from cog import BaseModel, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(
    images: Path = Input(description="A zip file", accept="application/zip"),
    steps: int = Input(default=1000, ge=10, le=10_000),
    lr: float = 1e-4,
) -> TrainingOutput:
    return TrainingOutput(weights=Path("w"))
