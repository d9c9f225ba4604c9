"""What is said of a predictor that cannot be read, and what is known of the world outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

import cog
from cogn.report import CognError
from cogn.resolver.signature import read_signature
from cogn.resolver.signature.outside import IMPORTABLE

UNKNOWN = """\
import json, os, random
import numpy as np
import torch
from diffusers import ImageOutput
from cog import BasePredictor, Input

MODELS = json.load(open("models.json"))
ORDER = ["a", "b"]
random.shuffle(ORDER)

class Predictor(BasePredictor):
    def predict(
        self,
        a: int = random.randint(0, 3),
        b: str = Input(default="x", choices=list(MODELS)),
        c: str = Input(choices=ORDER, descripton="c"),
        d: str = Input(description=os.environ["TEXT"]),
        e: torch.Tensor = None,
        f: str = Input(choices={"x", "y"}),
    ) -> ImageOutput: ...
"""

SAID = """\
predict.py:7: parameter `b` of Predictor.predict, choices: `open('models.json')` cannot be known \
without running the code: `open` comes from outside the project
predict.py:9: parameter `c` of Predictor.predict, choices: `random.shuffle(ORDER)` cannot be known \
without running the code: `random.shuffle` comes from outside the project
predict.py:14: parameter `a` of Predictor.predict, default: `random.randint(0, 3)` cannot be known \
without running the code: `random.randint` comes from outside the project
predict.py:16: parameter `c` of Predictor.predict: Input() has no keyword `descripton`
predict.py:17: parameter `d` of Predictor.predict: `description` cannot be known without running \
the code: `os.environ` comes from outside the project
predict.py:18: parameter `e` of Predictor.predict: the type `torch.Tensor` is not supported: it \
comes from outside the project, so nothing is known of it
predict.py:19: parameter `f` of Predictor.predict: `choices` cannot be known without running the \
code: the order of a set differs from run to run; use `sorted(...)`
predict.py:20: the return type of Predictor.predict: the type `diffusers.ImageOutput` is not \
supported: it comes from outside the project, so nothing is known of it\
"""


def test_everything_that_is_not_known_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text(UNKNOWN)
    with pytest.raises(CognError) as refusal:
        read_signature(tmp_path, "predict.py:Predictor")
    assert str(refusal.value) == SAID
    hints = {problem.hint for problem in refusal.value.problems}
    assert any(hint and hint.startswith("write it out as a literal, or give") for hint in hints)
    assert "did you mean `description`?" in hints


def test_the_names_that_cog_has_are_known() -> None:
    assert {*IMPORTABLE["cog"], "__version__"} == set(cog.__all__)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("np.iinfo(np.int32).max", 2**31 - 1),
        ("np.iinfo(np.uint32).max", 2**32 - 1),
        ("np.iinfo(np.int8).min", -128),
        ("sys.maxsize", 2**63 - 1),
        ("len(os.path.join('models', 'x'))", 8),
    ],
)
def test_some_of_the_world_outside_is_known(tmp_path: Path, expression: str, value: int) -> None:
    source = "import os, sys\nimport numpy as np\nclass Predictor:\n"
    source += f"    def predict(self, a: int = {expression}) -> str: ...\n"
    (tmp_path / "predict.py").write_text(source)
    assert read_signature(tmp_path, "predict.py:Predictor").inputs[0].default == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "from diffusers import Base\nclass Predictor(Base): ...\n",
            "predict.py:2: Predictor must define run() or predict(): `Predictor` may have it from "
            "`diffusers.Base`, outside the project",
        ),
        (
            "from diffusers import Predictor\n",
            "predict.py:1: `Predictor` comes from outside the project, from `diffusers.Predictor`",
        ),
        (
            "class Predictor(make()): ...\ndef make(): return unknown\n",
            "predict.py:1: `make` cannot be known without running the code: nothing defines it",
        ),
        (
            "from nowhere import *\nclass Predictor:\n    def run(self, a: Thing) -> str: ...\n",
            "predict.py:3: parameter `a` of Predictor.run: the type `nowhere.Thing` is not "
            "supported: it comes from outside the project, so nothing is known of it",
        ),
        (
            "class Predictor:\n    def train(self, a: int) -> str: ...\n",
            "predict.py:1: Predictor must define run() or predict()",
        ),
    ],
)
def test_a_predictor_whose_method_is_not_there_is_refused(
    tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "predict.py").write_text(source)
    with pytest.raises(CognError) as refusal:
        read_signature(tmp_path, "predict.py:Predictor")
    assert str(refusal.value) == message
    assert refusal.value.hint


def test_a_class_can_train(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("class T:\n    def train(self, a: int) -> str: ...\n")
    assert read_signature(tmp_path, "train.py:T", "train").name == "T.train"
