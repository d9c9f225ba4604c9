# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input, Path


class KarrasDPM:
    @staticmethod
    def from_config(config):
        return config


SCHEDULERS = {
    "DDIM": KarrasDPM,
    "KarrasDPM": KarrasDPM.from_config,
    "broken": open,
}


class Predictor(BasePredictor):
    def predict(
        self, scheduler: str = Input(default="KarrasDPM", choices=SCHEDULERS.keys())
    ) -> Path:
        return Path("x")
