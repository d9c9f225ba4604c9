"""`cogn schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cogn_runtime
from cogn.cli.schema import schema
from cogn.report import CognError
from cogn.resolver.document import read_document
from cogn.resolver.signature import PredictorError

PREDICT = """
import torch
from cog import BasePredictor, Input

raise SystemExit("this is never run")

class Predictor(BasePredictor):
    def predict(self, size: int = Input(default=1, choices=[1, 2])) -> str: ...
"""
TRAIN = """
from cog import Input

def train(size: int = Input(choices=[1, 2])) -> str: ...
"""


def write(root: Path, **files: str) -> Path:
    for name, content in files.items():
        (root / (name if name == "cog.yaml" else f"{name}.py")).write_text(content)
    return root


def test_the_document_of_a_project_is_json_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, **{"cog.yaml": "run: predict.py:Predictor\n"}, predict=PREDICT)
    below = tmp_path / "below"
    below.mkdir()
    document = json.loads(schema(below))
    assert document["info"] == {"title": "Cog", "version": cogn_runtime.__version__}
    assert document["components"]["schemas"]["size"]["enum"] == [1, 2]
    assert "/trainings" not in document["paths"]
    assert capsys.readouterr().out == ""


def test_a_project_that_trains_has_both_in_it(tmp_path: Path) -> None:
    config = "run: predict.py:Predictor\ntrain: train.py:train\n"
    write(tmp_path, **{"cog.yaml": config}, predict=PREDICT, train=TRAIN)
    assert "/trainings" in json.loads(schema(tmp_path))["paths"]


def test_the_mistakes_of_both_are_said_at_once(tmp_path: Path) -> None:
    config = "run: predict.py:Predictor\ntrain: train.py:train\n"
    broken = {"predict": "class Predictor: ...\n", "train": "def train(a) -> str: ...\n"}
    write(tmp_path, **{"cog.yaml": config}, **broken)
    with pytest.raises(CognError) as refusal:
        schema(tmp_path)
    assert [str(each) for each in refusal.value.problems] == [
        "predict.py:1: Predictor must define run() or predict()",
        "train.py:1: parameter `a` of train: there is no type annotation",
    ]


def test_choices_that_differ_under_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, predict=PREDICT, train=TRAIN.replace("2", "3"))
    with pytest.raises(PredictorError, match="another schema of this name"):
        read_document(tmp_path, "predict.py:Predictor", train="train.py:train", version="0")
