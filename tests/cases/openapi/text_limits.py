# ruff: noqa
# mypy: ignore-errors
from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(
        self,
        slug: str = Input(default="ab", min_length=2, max_length=8, regex="^[a-z]+$"),
        note: str = Input(default="", description='Ünïcödé "quoted" \\ back\nand a line'),
        long_name_of_input: str = Input(min_length=1),
        camelCase: str = "x",
    ) -> str:
        return slug
