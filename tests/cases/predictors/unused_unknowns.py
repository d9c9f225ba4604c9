# ruff: noqa
# mypy: ignore-errors
import random
import time

STAMP = time.time()
CHOICE = random.choice(["a"])
NOTHING = STAMP + 1
random.shuffle(OTHER := ["a", "b"])


class Predictor:
    seed = random.randint(0, 3)

    def predict(self, a: int = 1) -> int:
        return a
