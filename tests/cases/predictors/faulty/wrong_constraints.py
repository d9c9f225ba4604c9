# ruff: noqa
# fmt: off
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        a: int = Input(min_length=1),  # error: min_length, max_length and regex constrain text only
        b: str = Input(regex="("),  # error: regex '(' is not a regular expression
        c: str = Input(accept="image/*"),  # error: accept is only valid on Path or File inputs
        d: int = Input(ge="1"),  # error: ge has to be a number, not '1'
        e: str = Input(description=3),  # error: description has to be text, not 3
        f: float = Input(le=float("inf")),  # error: le has to be a number, not inf
    ) -> str:
        return a
