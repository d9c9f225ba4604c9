# ruff: noqa
# mypy: ignore-errors
import pathlib
from pathlib import Path as P

from cog import File, Input, Path


class Predictor:
    def predict(
        self,
        a: Path,
        b: P,
        c: pathlib.Path = Input(description="c"),
        d: File = Input(description="d", accept="image/*"),
        e: Path = Input(default=None, accept="video/mp4"),
        f: Path = Path("x"),
        g: list[Path] = Input(description="many", accept="image/png"),
        h: pathlib.PosixPath = P("a", "b"),
    ) -> pathlib.Path:
        return a
