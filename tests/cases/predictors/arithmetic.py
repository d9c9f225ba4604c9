# ruff: noqa
# mypy: ignore-errors
from cog import Input

BASE = 64
LIMITS = (BASE * 2, BASE**2 // 2)
SEED = 2**31 - 1


class Predictor:
    def predict(
        self,
        a: int = Input(default=BASE * 8, ge=LIMITS[0], le=LIMITS[1]),
        b: int = Input(default=0, le=SEED),
        c: float = Input(default=1 / 4, ge=-1.0, le=+1),
        d: int = Input(default=1 << 4, ge=~3, le=0xFF & 127 | 128),
        e: float = -0.5e-3,
        f: int = 17 % 5,
        g: float = round(2 / 3, 2),
        h: int = abs(-4),
        i: float = float("1.5") + int("2"),
    ) -> float:
        return 0.0
