# ruff: noqa
# mypy: ignore-errors
# reference: SeededPredictor
from shared.base import SeededPredictor
