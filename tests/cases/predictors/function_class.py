# ruff: noqa
# mypy: ignore-errors
def helper():
    class Inner:
        pass

    return Inner


class Predictor:
    def predict(self, a: int) -> int:
        return a


Alias = Predictor
