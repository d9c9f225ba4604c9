"""`cogn cache`: where the cache is, what it holds, making room."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cogn.cli.main import cogn
from cogn.layers import Layer, LayerNotes
from cogn.store import Cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    root = tmp_path / "cache"
    monkeypatch.setenv("COGN_CACHE", str(root))
    return Cache(root)


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(cogn, ["cache", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def fill(cache: Cache) -> None:
    """Add an input of 2 MB and a layer of 1 MB with its note."""
    cache.add(bytes(2_000_000))
    layer = cache.add(bytes(1_000_000))
    LayerNotes(cache).keep(
        "sha256:recipe", Layer(diff_id="sha256:x", digest=f"sha256:{layer}", size=1_000_000)
    )


def test_dir_prints_the_path(cache: Cache) -> None:
    assert invoke("dir").stdout == f"{cache.root}\n"


def test_info_counts_by_kind(cache: Cache) -> None:
    fill(cache)
    lines = invoke("info").stdout.splitlines()
    assert lines[0] == str(cache.root)
    assert [line.split() for line in lines[1:]] == [
        ["inputs", "1", "files", "2.0", "MB"],
        ["layers", "1", "files", "1.0", "MB"],
        ["notes", "1", "files", "0.0", "MB"],
    ]


def test_info_as_json_has_bytes(cache: Cache) -> None:
    fill(cache)
    info = json.loads(invoke("info", "--json").stdout)
    assert info["directory"] == str(cache.root)
    assert info["inputs"] == {"count": 1, "size": 2_000_000}
    assert info["layers"] == {"count": 1, "size": 1_000_000}
    assert info["notes"]["count"] == 1


def test_info_about_a_cache_that_is_not_there(cache: Cache) -> None:
    assert json.loads(invoke("info", "--json").stdout)["inputs"] == {"count": 0, "size": 0}


def test_prune_removes_what_was_not_used_for_a_month(cache: Cache) -> None:
    fill(cache)
    old = cache.path(cache.add(b"old" * 1_000_000))
    os.utime(old, (time.time() - 31 * 86_400, old.stat().st_mtime))
    result = invoke("prune")
    assert (result.stdout, result.stderr) == ("", "Removed 1 file, 3.0 MB\n")
    assert not old.exists()
    assert json.loads(invoke("info", "--json").stdout)["layers"]["count"] == 1


def test_prune_takes_days(cache: Cache) -> None:
    fill(cache)
    assert invoke("prune", "--older-than", "1").stderr == "Removed 0 files, 0.0 MB\n"
    assert invoke("prune", "--older-than", "0").stderr == "Removed 3 files, 3.0 MB\n"


def test_prune_all_empties_the_cache(cache: Cache) -> None:
    fill(cache)
    invoke("prune", "--all")
    assert [path for path in cache.root.rglob("*") if path.is_file()] == []


def test_prune_refuses_what_is_no_number_of_days() -> None:
    for days in ("-1", "many"):
        result = CliRunner().invoke(cogn, ["cache", "prune", "--older-than", days])
        assert (result.exit_code, result.stdout) == (2, "")
