"""Wheels that a lock names, fetched from where they were or where uv finds them now."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec
import pytest

from cogn.lockfiles import Wheel
from cogn.store import Cache, DownloadError, HashError
from cogn.store.http import Fetcher
from cogn.store.uv import FoundWheel, Target, Uv
from cogn.store.wheels import fetch_wheels, note_wheels
from support.wheels import make_wheel

TARGET = Target(python="3.13", platform="linux/amd64")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The directory that the project's uv.toml names as the only place for wheels."""
    (tmp_path / "uv.toml").write_text('no-index = true\nfind-links = ["wheels"]\n')
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a directory; keeps the requests; HEAD fails where the path says so."""

    requests: list[str]

    def send_head(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as the base class
        self.requests.append(f"{self.command} {self.path}")
        if self.command == "HEAD" and "no-head" in self.path:
            self.send_error(405)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A server of the directory ``served``: its URL and what it was asked."""
    directory = tmp_path / "served"
    directory.mkdir()
    Server.requests = []
    handler = functools.partial(Server, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", Server.requests
        httpd.shutdown()
        thread.join()


def locked(path: Path) -> Wheel:
    name, version, *_ = path.name.split("-")
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Wheel(name=name, version=version, file=path.name, sha256=sha256, size=len(data))


def found(wheel: Wheel, url: str, size: int | None = None) -> FoundWheel:
    return FoundWheel(wheel.name, wheel.version, wheel.file, wheel.sha256, url, size)


def note(cache: Cache, *wheels: FoundWheel) -> dict[str, int]:
    async def run() -> dict[str, int]:
        async with Fetcher.open(cache) as fetcher:
            return await note_wheels(wheels, fetcher)

    return anyio.run(run)


def fetch(cache: Cache, directory: Path, *wheels: Wheel) -> tuple[Path, ...]:
    async def run() -> tuple[Path, ...]:
        async with Fetcher.open(cache) as fetcher:
            return await fetch_wheels(wheels, target=TARGET, uv=Uv(directory), fetcher=fetcher)

    return anyio.run(run)


def test_a_wheel_is_fetched_from_where_it_was_noted(
    cache: Cache, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, requests = server
    path = make_wheel(tmp_path / "served", {"a.py": "1"}, name="leaf")
    wheel = locked(path)
    assert note(cache, found(wheel, f"{url}/{path.name}")) == {wheel.sha256: wheel.size}
    (file,) = fetch(cache, tmp_path, wheel)
    assert file.read_bytes() == path.read_bytes()
    assert requests == [f"HEAD /{path.name}", f"GET /{path.name}"]


def test_a_cached_wheel_is_fetched_from_nowhere(cache: Cache, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, {}, name="leaf")
    cache.add(path.read_bytes())
    (file,) = fetch(cache, tmp_path / "not-there", locked(path))
    assert file.read_bytes() == path.read_bytes()


def test_a_size_is_asked_for_once(
    cache: Cache, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, requests = server
    wheel = locked(make_wheel(tmp_path / "served", {}, name="leaf"))
    note(cache, found(wheel, f"{url}/{wheel.file}"))
    assert note(cache, found(wheel, f"{url}/moved")) == {wheel.sha256: wheel.size}
    assert len(requests) == 1
    noted = msgspec.json.decode(cache.note("wheels", wheel.sha256) or b"")
    assert noted == {"url": f"{url}/moved", "size": wheel.size}


def test_a_size_that_the_index_states_is_believed(cache: Cache, tmp_path: Path) -> None:
    wheel = locked(make_wheel(tmp_path, {}, name="leaf"))
    assert note(cache, found(wheel, "http://127.0.0.1:9/x", size=5)) == {wheel.sha256: 5}


def test_a_server_that_answers_no_head_request_gives_the_wheel_at_once(
    cache: Cache, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, _ = server
    (tmp_path / "served" / "no-head").mkdir()
    wheel = locked(make_wheel(tmp_path / "served" / "no-head", {}, name="leaf"))
    assert note(cache, found(wheel, f"{url}/no-head/{wheel.file}")) == {wheel.sha256: wheel.size}
    assert cache.find(wheel.sha256)


@pytest.mark.parametrize("secret", ["http://me:secret@{}", "http://{}?token=secret"])
def test_a_place_with_a_secret_is_not_noted(cache: Cache, secret: str, tmp_path: Path) -> None:
    wheel = locked(make_wheel(tmp_path, {}, name="leaf"))
    note(cache, found(wheel, secret.format("127.0.0.1:9/leaf.whl"), size=wheel.size))
    assert cache.note("wheels", wheel.sha256) is None


def test_uv_is_asked_for_wheels_without_a_note(cache: Cache, wheels: Path, tmp_path: Path) -> None:
    lock = [locked(make_wheel(wheels, {}, name=name)) for name in ("one", "two")]
    files = fetch(cache, tmp_path, *lock)
    assert [file.name for file in files] == [wheel.sha256 for wheel in lock]


def test_uv_is_asked_again_for_a_wheel_that_has_moved(
    cache: Cache, wheels: Path, tmp_path: Path
) -> None:
    path = make_wheel(wheels, {}, name="leaf")
    note(cache, found(locked(path), (tmp_path / "was-here.whl").as_uri(), size=1))
    assert fetch(cache, tmp_path, locked(path))[0].read_bytes() == path.read_bytes()


def test_two_versions_of_a_package_may_be_asked_for_together(
    cache: Cache, wheels: Path, tmp_path: Path
) -> None:
    lock = [locked(make_wheel(wheels, {}, name="leaf", version=v)) for v in ("1.0", "2.0")]
    assert len(set(fetch(cache, tmp_path, *lock))) == 2


def test_a_wheel_that_is_gone_is_named(cache: Cache, wheels: Path, tmp_path: Path) -> None:
    wheel = locked(make_wheel(wheels, {}, name="leaf", tag="py3-none-any"))
    (wheels / wheel.file).rename(wheels / "leaf-1.0-py2.py3-none-any.whl")
    make_wheel(wheels, {"other.py": ""}, name="leaf", tag="py2.py3-none-any")
    with pytest.raises(DownloadError) as caught:
        fetch(cache, tmp_path, wheel)
    assert caught.value.message == "leaf-1.0-py3-none-any.whl is not on the index any more"
    assert caught.value.hint == (
        "run `cogn lock --upgrade`, or configure an index for uv that still has it"
    )


def test_a_wheel_that_was_replaced_is_named(cache: Cache, wheels: Path, tmp_path: Path) -> None:
    wheel = locked(make_wheel(wheels, {}, name="leaf"))
    make_wheel(wheels, {"new.py": ""}, name="leaf")
    with pytest.raises(DownloadError) as caught:
        fetch(cache, tmp_path, wheel)
    assert caught.value.message == (
        "the leaf-1.0-py3-none-any.whl that uv finds has another SHA-256 hash than the locked one"
    )


def test_a_server_that_gives_other_bytes_is_found_out(
    cache: Cache, wheels: Path, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, _ = server
    wheel = locked(make_wheel(tmp_path / "served", {}, name="leaf"))
    page = f'<a href="{wheel.file}#sha256={wheel.sha256}">{wheel.file}</a>'
    (tmp_path / "served" / "page.html").write_text(page)
    forged = (tmp_path / "served" / wheel.file).read_bytes()[::-1]
    (tmp_path / "served" / wheel.file).write_bytes(forged)
    (tmp_path / "uv.toml").write_text(
        f'no-index = true\nno-cache = true\nfind-links = ["{url}/page.html"]\n'
    )
    with pytest.raises(HashError, match=r"leaf-1\.0-py3-none-any\.whl is not what the lock names"):
        fetch(cache, tmp_path, wheel)
    assert cache.find(wheel.sha256) is None
