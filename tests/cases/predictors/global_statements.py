# ruff: noqa
# mypy: ignore-errors
STATE = None


def init():
    global STATE
    STATE = 3


assert STATE is None
del init
_ = [print for print in ()]
try:
    VALUE = 1
finally:
    OTHER = 2
with open(__file__) as _file:
    LENGTH = len(_file.read())
while False:
    VALUE = 3


class Predictor:
    def predict(self, a: int = OTHER) -> int:
        return a
