# ruff: noqa
# mypy: ignore-errors
from cog import Input

MODELS = {
    "small": {"size": 1, "on": True},
    "large": {"size": 3, "on": False},
    "mid": {"size": 2, "on": True},
}


class Predictor:
    def predict(
        self,
        a: str = Input(default="small", choices=[name for name in MODELS]),
        b: str = Input(default="mid", choices=[n for n, m in MODELS.items() if m["on"]]),
        c: int = Input(default=1, choices=sorted(m["size"] for m in MODELS.values())),
        d: str = Input(default="small-1", choices=[f"{n}-{m['size']}" for n, m in MODELS.items()]),
        e: str = Input(default="small", choices=sorted(MODELS, key=lambda n: MODELS[n]["size"])),
        f: str = Input(default="x0", choices=[f"{a}{b}" for a in "xy" for b in range(2)]),
        g: dict = Input(default={n: m["size"] for n, m in MODELS.items()}),
        h: str = Input(default="a", choices=sorted({each.lower() for each in ["A", "b", "B"]})),
        i: int = Input(default=sum(m["size"] for m in MODELS.values())),
        j: str = Input(default="large", choices=list(reversed(list(MODELS)))),
        k: str = Input(default="A", choices=list(map(str.upper, dict.fromkeys(["a", "b"], 1)))),
    ) -> str:
        return ""
