"""Remembering what a project says: never longer than its files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cogn.resolver import Brief, brief, project, read_brief, remembered
from cogn.store import Cache
from support.reports import Recorder

CONFIG = "run: run.py:run\nbuild: {python_requirements: requirements.txt}\nenvironment: [A=1]\n"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose files count as settled although they were just written."""
    monkeypatch.setattr(remembered, "_SETTLED", -1e9)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/cog.yaml").write_text(CONFIG)
    (tmp_path / "project/requirements.txt").write_text("-r more.txt\nnumpy\n")
    (tmp_path / "project/more.txt").write_text("idna\n")
    return tmp_path / "project"


def read(directory: Path, recorder: Recorder | None = None) -> Brief:
    cache = Cache(directory.parent / "cache")
    return read_brief(directory, cache, recorder or Recorder())[1]


def test_a_project_that_did_not_change_is_not_read_again(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(house)
    assert (first.predictor, first.environment) == ("run.py:run", {"A": "1"})
    monkeypatch.delattr(project.Project, "load")
    assert read(house) == first


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cog.yaml", CONFIG.replace("A=1", "A=2")),
        ("cogn.toml", "bytecode = false\n"),
        ("uv.toml", 'exclude-newer = "2026-01-01"\n'),
        ("pyproject.toml", '[tool.uv]\nindex-strategy = "unsafe-best-match"\n'),
        ("requirements.txt", "scipy\n"),
        ("more.txt", "attrs\n"),
    ],
)
def test_a_change_of_any_file_is_seen(house: Path, file: str, text: str) -> None:
    first = read(house)
    (house / file).write_text(text)
    changed = read(house)
    assert changed != first
    assert changed == project.Project.load(house).brief


def test_a_warning_is_heard_every_time(house: Path) -> None:
    (house / "cog.yaml").write_text(CONFIG + "tests: []\n")
    first, second = Recorder(), Recorder()
    read(house, first)
    read(house, second)
    assert len(first.warnings) == 1
    assert second.warnings == first.warnings


def test_a_file_that_may_still_change_unseen_is_not_remembered(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "_SETTLED", 2.0)
    read(house)
    monkeypatch.delattr(project.Project, "load")
    with pytest.raises(AttributeError):
        read(house)


def test_a_damaged_note_is_as_good_as_none(house: Path) -> None:
    first = read(house)
    (note,) = (house.parent / "cache/notes" / brief._NOTES).iterdir()
    note.write_bytes(b"{")
    assert read(house) == first
