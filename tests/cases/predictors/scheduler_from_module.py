# ruff: noqa
# mypy: ignore-errors
from shared.constants import MAX_SEED, PROMPT_HELP, SCHEDULERS, SIZES

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        prompt: str = Input(description=PROMPT_HELP),
        size: int = Input(default=SIZES[1], choices=SIZES),
        scheduler: str = Input(default="DDIM", choices=list(SCHEDULERS.keys())),
        seed: int = Input(default=None, ge=0, le=MAX_SEED),
    ) -> Path:
        return Path("x")
