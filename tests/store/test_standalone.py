"""Where the archive of a locked Python comes from, as uv's variables say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from cogn.lockfiles import StandalonePython
from cogn.store import Cache, DownloadError, HashError
from cogn.store.http import Fetcher
from cogn.store.standalone import DOWNLOADS, MIRROR, fetch_python, listed_builds
from support.debian import serving
from support.reports import Recorder

CONTENT = b"an archive"
FILE = "cpython-3.12.4+20260101-aarch64-unknown-linux-gnu-install_only_stripped.tar.gz"
PYTHON = StandalonePython(
    version="3.12.4",
    reason="",
    release="20260101",
    file=FILE,
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)


def fetch(cache: Path, environment: Mapping[str, str], python: StandalonePython = PYTHON) -> bytes:
    async def run() -> Path:
        async with Fetcher.open(Cache(cache), Recorder()) as fetcher:
            return await fetch_python(python, fetcher, environment)

    return anyio.run(run).read_bytes()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    root = tmp_path / "mirror"
    (root / "20260101").mkdir(parents=True)
    (root / "20260101" / FILE).write_bytes(CONTENT)
    return root


def test_an_archive_comes_from_the_mirror_and_then_from_the_cache(
    mirror: Path, tmp_path: Path
) -> None:
    with serving(mirror) as (url, requests):
        assert fetch(tmp_path / "cache", {MIRROR: f"{url}/", DOWNLOADS: "/nowhere"}) == CONTENT
    assert requests == [f"GET /20260101/{FILE.replace('+', '%2B')}"]
    assert fetch(tmp_path / "cache", {MIRROR: url}) == CONTENT
    assert fetch(tmp_path / "other", {MIRROR: mirror.as_uri()}) == CONTENT


def test_without_a_mirror_it_comes_from_where_the_list_has_it(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as (url, requests):
        entry = {"url": f"{url}/20260101/{FILE}", "sha256": PYTHON.sha256, "os": "linux"}
        (mirror / "list.json").write_text(json.dumps({"cpython-3.12.4-linux": entry}))
        assert fetch(tmp_path / "cache", {DOWNLOADS: f"{url}/list.json"}) == CONTENT
    assert len(requests) == 2


def test_other_bytes_are_refused_and_not_kept(mirror: Path, tmp_path: Path) -> None:
    (mirror / "20260101" / FILE).write_bytes(b"else")
    with serving(mirror) as (url, _):
        for place in (url, mirror.as_uri()):
            with pytest.raises(HashError, match=f"{FILE.replace('+', '.')} is not what the lock"):
                fetch(tmp_path / "cache", {MIRROR: place})
    assert Cache(tmp_path / "cache").find(PYTHON.sha256) is None


def test_a_mirror_without_it_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / "20260101" / FILE).unlink()
    with serving(mirror) as (url, _), pytest.raises(DownloadError) as error:
        fetch(tmp_path / "cache", {MIRROR: url})
    assert error.value.message.startswith(f"cannot download {FILE}\n  {url}/20260101/cpython-")
    assert error.value.hint == f"{MIRROR} may name a mirror of python-build-standalone"


def test_a_list_gives_the_builds_for_linux_with_glibc_and_no_others(tmp_path: Path) -> None:
    def entry(name: str, sha256: str | None = "0" * 64) -> dict[str, object]:
        return {"url": f"https://example.org/20260101/{name.replace('+', '%2B')}", "sha256": sha256}

    entries = {
        "this": entry(FILE),
        "no hash": entry(FILE, None),
        "musl": entry(FILE.replace("gnu", "musl")),
        "threads": entry(FILE.replace("gnu-", "gnu-freethreaded+pgo+lto-")),
        "next": entry(FILE.replace("3.12.4", "3.15.0a1")),
        "mac": entry(FILE.replace("unknown-linux-gnu", "apple-darwin")),
        "other": entry("pypy3.10.tar.bz2"),
    }
    path = tmp_path / "list.json"
    path.write_text(json.dumps(entries))

    async def run() -> list[tuple[str, str, str, str]]:
        async with Fetcher.open(Cache(tmp_path / "cache"), Recorder()) as fetcher:
            builds = await listed_builds(fetcher, {DOWNLOADS: str(path)})
            assert builds is not None
            assert await listed_builds(fetcher, {}) is None
            return [(each.version, each.release, each.platform, each.file) for each in builds]

    assert anyio.run(run) == [("3.12.4", "20260101", "linux/arm64", FILE)]
