# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, ConcatenateIterator, Input


class Predictor(BasePredictor):
    def predict(
        self,
        prompt: str = Input(),
        max_tokens: int = Input(default=512, ge=1, le=4096),
        temperature: float = Input(default=0.7, ge=0.01, le=5.0),
        top_p: float = Input(default=0.95, ge=0.0, le=1.0),
    ) -> ConcatenateIterator[str]:
        yield prompt
