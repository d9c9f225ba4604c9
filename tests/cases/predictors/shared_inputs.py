# ruff: noqa
# mypy: ignore-errors
from shared.fields import SEED, STEPS, Inputs

from cog import Input

PROMPT = Input(description="Prompt", min_length=1)


class Predictor:
    other = Input(default=False)

    def predict(
        self,
        prompt: str = PROMPT,
        seed: int = SEED,
        steps: int = STEPS,
        guidance: float = Inputs.guidance,
        width: int = Inputs.size(),
        height: int = Inputs.size(default=1024, description="Height"),
        flag: bool = other,
    ) -> str:
        return ""
