# ruff: noqa
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        width: int = Input(default=512, choices=[256, 512]),
        height: int = Input(default=512, choices=[256, 512]),
        number: int = Input(default=1, choices=[1, 2, 3], description="how many"),
    ) -> str:
        return ""
