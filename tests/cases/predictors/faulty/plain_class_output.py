# ruff: noqa
# fmt: off
# mypy: ignore-errors
class Output:
    a: int


class Predictor:
    def predict(self) -> Output:  # error: the type `Output` is not supported
        return None
