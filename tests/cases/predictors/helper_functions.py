# ruff: noqa
# mypy: ignore-errors
import functools

from cog import Input


def sizes(low, high=3, *, step=1):
    """The sizes."""
    found = []
    for each in range(low, high + 1, step):
        if each == 2:
            continue
        found.append(each * 64)
    return found


@functools.lru_cache
def describe(name: str) -> str:
    text = f"The {name}"
    if name.startswith("s"):
        return text + "!"
    return text


double = lambda x: x * 2


class Predictor:
    def predict(
        self,
        a: int = Input(default=64, choices=sizes(1, high=4)),
        b: int = Input(default=0, description=describe("size")),
        c: int = Input(default=double(4), description=describe(name="b")),
    ) -> int:
        return 0
