# ruff: noqa
# mypy: ignore-errors
import shared.outputs as outputs
from shared.outputs import Transcript as T


class Predictor:
    def predict(self, a: str) -> outputs.WithFile:
        return None

    def other(self) -> T:
        return None
