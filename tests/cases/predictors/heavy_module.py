# ruff: noqa
# mypy: ignore-errors
import json
import os
import sys

from cog import BasePredictor, Input

os.environ["HF_HOME"] = "/src/cache"
sys.path.append("vendor")
CACHE = os.path.join("models", "cache")
TOKEN = os.environ.get("TOKEN_OF_NOBODY", "none")
SETTINGS = json.loads('{"a": 1}')
VERBOSE = os.getenv("VERBOSE") == "1"


def load(path=CACHE, *args, **kwargs):
    while True:
        break
    with open(path) as file:
        return json.load(file)


class Predictor(BasePredictor):
    def setup(self) -> None:
        self.data = load()

    def predict(self, a: str = Input(description=f"From {CACHE}")) -> str:
        return a
