# ruff: noqa
# mypy: ignore-errors
try:
    from cog import BaseRunner
except ImportError:
    from cog import BasePredictor as BaseRunner

try:
    from cog import NothingLikeThis as Base
except ImportError:
    Base = BaseRunner


class Predictor(Base):
    def run(self, a: int) -> int:
        return a
