# ruff: noqa
# mypy: ignore-errors
"""A module."""

import logging

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
SIZES = [1, 2]
logger.debug("sizes %s", SIZES)
print(SIZES, end="")


class Predictor:
    """A predictor."""

    version: str = "1"

    def predict(self, a: int = SIZES[0]) -> int:
        """Predict."""
        return a
