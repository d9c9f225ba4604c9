# ruff: noqa
# mypy: ignore-errors
from typing import Any, List, Optional, TypedDict, Union

from cog import BaseModel, BasePredictor, File, Input, Path, Secret

STYLES = ["photo", "art"]
SIZES = {"s": 256, "m": 512}
HELP = "shared help"


class Meta(TypedDict, total=False):
    author: str


class Inner(BaseModel):
    label: str
    score: float = 0.5


class Output(BaseModel):
    file: Path
    inner: Inner
    many: list[Inner]
    table: dict[str, list[int]]
    blob: Any
    maybe: Optional[str] = None


class Predictor(BasePredictor):
    def predict(
        self,
        prompt: str = Input(description="what to draw"),
        negative_prompt: Optional[str] = Input(default=None, description=HELP),
        steps: int = Input(default=20, ge=1, le=500),
        scale: float = Input(default=7.5, ge=0, le=20.5),
        style: str = Input(default="photo", choices=STYLES + ["none"], description="look"),
        size: int = Input(default=512, choices=list(SIZES.values())),
        seed: int = Input(default=None, description="random when absent"),
        slug: str = Input(default="ab", min_length=2, max_length=8, regex="^[a-z]+$"),
        image: Path = Input(default=None, accept="image/*"),
        mask: Optional[Path] = None,
        files: List[File] = Input(description="files"),
        tags: list[str] = ["a", "b"],
        token: Secret = Input(default=None),
        value: Union[str, float, None] = None,
        either: int | str = 3,
        options: dict = Input(default={"a": 1}),
        meta: Meta = Input(default={}),
        anything: Any = None,
        old: bool = Input(default=False, deprecated=True),
    ) -> Output:
        return None
