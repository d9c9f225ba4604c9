# ruff: noqa
# mypy: ignore-errors
from cog import Input

SLUG = r"^[a-z0-9\-]+$"


class Predictor:
    def predict(
        self,
        a: str = Input(regex=SLUG, min_length=2, max_length=20, default="ab-c"),
        b: str = Input(description='Ünïcödé \u2603 "quoted" \\ back', default="ß"),
        c: str = Input(deprecated=True, default=""),
        d: str = Input(deprecated=False),
        e: str = Input(deprecated=None, description=None, choices=None, ge=None),
    ) -> str:
        return a
