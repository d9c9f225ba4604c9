# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Predictor:
    def predict(self, a: int) -> None:  # error: the type `NoneType` is not supported
        return None
