# ruff: noqa
# mypy: ignore-errors
import pathlib


class MyPath(pathlib.PosixPath):
    pass


class Predictor:
    def predict(self, a: MyPath) -> MyPath:
        return a
