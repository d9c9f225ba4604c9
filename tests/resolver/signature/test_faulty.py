"""What neither way accepts. The lines with a mistake say in a comment what is said of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cogn.report import CognError
from cogn.resolver.signature import PredictorError, read_signature
from support.predictors import live_signature

FAULTY = sorted((Path(__file__).parents[2] / "cases" / "predictors" / "faulty").glob("*.py"))


def expected(path: Path) -> list[tuple[int, str]]:
    """The lines with mistakes, and what is said of them."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if match := re.search(r"# error: (.*)$", line):
            found += [(number, message) for message in match[1].split(" && ")]
    return found


def test_there_are_cases_enough() -> None:
    assert len(FAULTY) >= 25


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_the_source_is_refused_with_all_its_mistakes(path: Path) -> None:
    with pytest.raises(CognError) as refusal:
        read_signature(path.parent, f"{path.name}:Predictor")
    problems = refusal.value.problems
    wanted = expected(path)
    said = [
        (problem.where.line if problem.where else None, problem.message) for problem in problems
    ]
    assert [line for line, _ in said] == [line for line, _ in wanted], said
    for (_, message), (_, part) in zip(said, wanted, strict=True):
        assert part in message
    for problem in problems:
        assert isinstance(problem, PredictorError)
        assert problem.where is not None
        assert problem.where.file == path.name
        assert problem.hint


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_the_loaded_code_is_refused_too(path: Path) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - Python itself refuses some
        live_signature(path.parent, f"{path.name}:Predictor")
