"""The signature from source is the one that the worker makes from the loaded code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cogn.resolver.signature import Method, read_signature
from cogn_runtime.schema import render
from support.predictors import live_signature

ROOT = Path(__file__).parents[3]
PREDICTORS = ROOT / "tests" / "cases" / "predictors"
OPENAPI = ROOT / "tests" / "cases" / "openapi"


def reference(path: Path) -> str:
    """The reference to a case: to `Predictor`, unless a comment in it says otherwise."""
    match = re.search(r"^# reference: (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    return f"{path.name}:{match[1] if match else 'Predictor'}"


CASES = sorted([*PREDICTORS.glob("*.py"), *OPENAPI.glob("*.py")])


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 100


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_both_ways_give_the_same_signature(path: Path) -> None:
    method: Method = "train" if path.stem.startswith("train") else "predict"
    static = read_signature(path.parent, reference(path), method)
    assert static == live_signature(path.parent, reference(path), method)
    assert render(static, version="0") == render(
        live_signature(path.parent, reference(path), method), version="0"
    )


@pytest.mark.parametrize(
    ("example", "target"), [("hello", "predict.py:Predictor"), ("resize", "run.py:Runner")]
)
def test_the_examples_are_read(example: str, target: str) -> None:
    if example == "resize":
        pytest.importorskip("numpy")
    root = ROOT / "examples" / example
    assert read_signature(root, target) == live_signature(root, target)


def test_the_training_of_a_case_is_read() -> None:
    static = read_signature(OPENAPI, "predict_and_train.py:train", "train")
    assert static == live_signature(OPENAPI, "predict_and_train.py:train", "train")
