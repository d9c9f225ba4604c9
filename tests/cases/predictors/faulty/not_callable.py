# ruff: noqa
# fmt: off
# mypy: ignore-errors
Predictor = 3  # error: `Predictor` is neither a class nor a function
