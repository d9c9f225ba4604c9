# ruff: noqa
# mypy: ignore-errors
# reference: Alias
class Real:
    def predict(self, a: int) -> int:
        return a


Alias = Real
