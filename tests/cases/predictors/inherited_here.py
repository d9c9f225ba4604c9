# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input


class Common(BasePredictor):
    def predict(self, text: str = Input(max_length=10)) -> str:
        return text


class Middle(Common):
    pass


class Predictor(Middle):
    pass
