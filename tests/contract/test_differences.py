"""The table of differences: documents list them, and each is one that a test sees."""

from __future__ import annotations

import ast
from pathlib import Path

from contract.differences import DIFFERENCES

HERE = Path(__file__).parent
DOCUMENT = Path(__file__).parents[2] / "docs/http.md"


def names() -> set[str]:
    """Return the names of the contract's tests as the table has them, without their cases."""
    found = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{path.stem.removeprefix('test_')}: {node.name.removeprefix('test_')}")
    return found


def test_every_difference_is_seen_by_a_test() -> None:
    assert {name.partition("[")[0] for name in DIFFERENCES} - names() == set()


def test_the_document_lists_every_difference() -> None:
    table = DOCUMENT.read_text("utf-8").partition("| Cog | here | because |")[2]
    listed = {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")}
    assert set(DIFFERENCES.values()) - listed == set()
