# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(self, Status: str = Input(choices=["a"])) -> str:  # error: the OpenAPI document has another schema of this name
        return ""
