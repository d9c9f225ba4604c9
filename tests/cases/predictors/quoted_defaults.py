# ruff: noqa
# mypy: ignore-errors
from cog import Input


class Predictor:
    def predict(
        self,
        a: str = Input(default='single "double"'),
        b: str = Input(default="""tri"ple"""),
        c: str = Input(default="line\nbreak\ttab"),
        d: str = Input(default=("parenthesised")),
        e: str = Input(default="😀"),
    ) -> str:
        return a
