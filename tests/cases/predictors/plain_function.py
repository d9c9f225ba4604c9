# ruff: noqa
# mypy: ignore-errors
# reference: predict
from cog import Input


def predict(text: str = Input(description="Text")) -> str:
    return text
