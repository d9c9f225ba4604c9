# ruff: noqa
# mypy: ignore-errors
from cog import Input

COMMON = ("a", "b")
EXTRA = {"c": 3, **{"d": 4}}
ALL = [*COMMON, *EXTRA]
TABLE = dict(x=1, y=2)
PAIRS = list(zip(COMMON, EXTRA.values()))


class Predictor:
    def predict(
        self,
        a: str = Input(default="a", choices=COMMON),
        b: str = Input(default="d", choices=ALL),
        c: int = Input(default=4, choices=tuple(EXTRA.values())),
        d: str = Input(default="y", choices=list(TABLE)),
        e: str = Input(default=PAIRS[0][0], choices=[name for name, _ in PAIRS]),
        f: int = Input(default=min(EXTRA.values()), ge=min(3, 4), le=max([5, 6])),
        g: list[str] = list(COMMON),
        h: str = Input(default="c", choices=[k for k in EXTRA.keys()]),
        i: int = Input(default=0, choices=[i for i, _ in enumerate(ALL)]),
        j: int = Input(default=2, choices=range(1, 4)),
        k: str = Input(default="1", choices=list(map(str, range(3)))),
        l: list[int] = (1, 2),
        m: int = EXTRA.get("z", 9),
        n: bool = "c" in EXTRA and "q" not in COMMON,
        o: str = Input(default="b", choices=[x for x in COMMON if x != "a"] or ["none"]),
    ) -> str:
        return ""
