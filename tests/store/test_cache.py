"""The cache: what is in it is what its name says, and room can be made."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from cogn.report import Task
from cogn.store import Cache, HashError, StoreError, intact
from cogn.store.cache import DAY
from cogn.store.locks import exclusive
from cogn.store.prune import prune, stored_blobs

DATA = b"some content" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def change(file: Path, data: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(data)


def age(file: Path, days: float) -> None:
    """Make a blob or a note look unused for so long."""
    status = file.stat()
    then = time.time() - days * DAY
    is_blob = "blobs" in file.parts
    os.utime(file, (then, status.st_mtime if is_blob else then))


def test_what_was_added_is_found(cache: Cache) -> None:
    assert cache.find(SHA256) is None
    assert cache.add(DATA) == SHA256
    path = cache.find(SHA256)
    assert path is not None
    assert path.read_bytes() == DATA


def test_what_is_not_as_expected_is_not_kept(cache: Cache) -> None:
    with pytest.raises(HashError), cache.blob(expect=SHA256) as blob:
        blob.write(b"other")
    assert [path for path in cache.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"x", DATA[::-1]])
def test_a_blob_that_was_changed_is_not_found_and_can_be_added_again(
    cache: Cache, damaged: bytes
) -> None:
    cache.add(DATA)
    change(cache.path(SHA256), damaged)
    assert cache.find(SHA256) is None
    assert not cache.path(SHA256).exists()
    cache.add(DATA)
    assert cache.find(SHA256) is not None


def test_a_blob_is_not_read_to_be_found(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.add(DATA)
    monkeypatch.setattr(intact, "hash_of", lambda path: pytest.fail(f"{path} was read"))
    assert cache.find(SHA256) is not None


def test_a_copied_cache_is_read_once_and_then_trusted(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.add(DATA)
    copy = Cache(tmp_path / "copy")
    shutil.copytree(cache.root, copy.root, copy_function=shutil.copyfile)
    assert copy.find(SHA256) is not None
    monkeypatch.setattr(intact, "hash_of", lambda path: pytest.fail(f"{path} was read"))
    assert copy.find(SHA256) is not None


def test_a_check_finds_damage_that_left_no_trace_in_the_times(cache: Cache) -> None:
    cache.add(DATA)
    status = cache.path(SHA256).stat()
    change(cache.path(SHA256), DATA[::-1])
    os.utime(cache.path(SHA256), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.find(SHA256) is not None
    Cache(cache.root).check(SHA256)
    assert cache.find(SHA256) is None


def test_what_killed_processes_left_goes_after_a_day(cache: Cache) -> None:
    temporary = cache.root / "tmp"
    temporary.mkdir(parents=True)
    for name, days in (("old", 1.1), ("young", 0.9)):
        (temporary / name).write_text("half")
        age(temporary / name, days)
    cache.add(DATA)
    assert [path.name for path in temporary.iterdir()] == ["young"]


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        Cache(tmp_path / "file").add(DATA)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_cache_that_is_full_is_an_error_that_leaves_nothing(cache: Cache) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreError, match="cannot be written: File too large") as caught:
            cache.add(bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.hint == "make room, with `cogn cache prune` for one"
    assert [path for path in cache.root.rglob("*") if path.is_file()] == []


def test_pruning_removes_what_was_not_used_lately(cache: Cache) -> None:
    used, unused = cache.add(DATA), cache.add(b"unused")
    for key in ("used", "unused"):
        cache.set_note("kind", key, {"size": 1})
    for path in [file for file in cache.root.rglob("*") if file.is_file()]:
        age(path, 40)
    assert cache.find(used) is not None
    assert cache.note("kind", "used") is not None
    removed = prune(cache, 30 * DAY)
    assert sorted(each.name for each in removed) == sorted([unused, "unused"])
    assert [blob.name for blob in stored_blobs(cache)] == [used]
    assert cache.note("kind", "unused") is None


def test_pruning_everything_leaves_nothing(cache: Cache) -> None:
    cache.add(DATA)
    cache.set_note("kind", "key", {})
    (cache.root / "tmp/half").write_text("")
    prune(cache, 0)
    assert [path for path in cache.root.rglob("*") if path.is_file()] == []


def test_pruning_a_cache_that_is_not_there_is_nothing(cache: Cache) -> None:
    assert prune(cache, 0) == []
    assert not cache.root.exists()


class Waiting(Task):
    """Tells that somebody waits."""

    def __init__(self) -> None:
        self.began = False

    def __enter__(self) -> Waiting:
        self.began = True
        return self


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    inside: list[str] = []
    most = 0
    waiting = Waiting()

    async def work(name: str) -> None:
        nonlocal most
        async with exclusive(tmp_path / "locks/one", waiting):
            inside.append(name)
            most = max(most, len(inside))
            await anyio.sleep(0.02)
            inside.remove(name)

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for name in "abc":
                tasks.start_soon(work, name)

    anyio.run(all_at_once)
    assert (most, waiting.began) == (1, True)
    assert list((tmp_path / "locks").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import anyio, pathlib, sys\n"
        "from cogn.report import Task\n"
        "from cogn.store.locks import exclusive\n"
        "async def hold():\n"
        "    async with exclusive(pathlib.Path(sys.argv[1]), Task()):\n"
        "        print('held', flush=True)\n"
        "        await anyio.sleep_forever()\n"
        "anyio.run(hold)\n"
    )
    lock, waiting = tmp_path / "lock", Waiting()
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"

    async def take() -> bool:
        with anyio.move_on_after(0.3):
            async with exclusive(lock, waiting):
                return True
        return False

    assert anyio.run(take) is False
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert anyio.run(take) is True


def test_where_locks_cannot_be_everybody_goes_ahead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def take() -> bool:
        async with exclusive(tmp_path / "file/lock", Task()):
            return True

    assert anyio.run(take)
