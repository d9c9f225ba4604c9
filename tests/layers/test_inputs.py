"""Where the wheels of a lock are looked for: the model's where its requirements say, too."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio
import pytest

from cogn.layers import LockedInputs
from cogn.lockfiles import Wheel
from cogn.report import CognError
from cogn.store import Cache
from cogn.store.http import Fetcher
from cogn.store.origins import Origins
from support.locks import make_lock
from support.wheels import make_wheel


def entry(path: Path) -> Wheel:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Wheel(name="leaf", version="1.0", file=path.name, sha256=sha256, size=len(data))


def fetch(project: Path, origins: Origins, *, of_server: bool) -> bytes:
    """Fetch the one wheel of a lock, the server's or the model's."""
    wheel = entry(project / "wheels/leaf-1.0-py3-none-any.whl")
    model, server = ((), (wheel,)) if of_server else ((wheel,), ())
    lock = make_lock(wheels=model, server=server, seals=())

    async def run() -> bytes:
        async with Fetcher.open(Cache(project / "cache")) as fetcher:
            inputs = LockedInputs(lock, project, fetcher, {}, origins=origins)
            files = await inputs.fetch([], [wheel], [])
            return files[wheel.sha256].read_bytes()

    return anyio.run(run)


def test_the_places_of_the_requirements_are_for_the_wheels_of_the_model_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    (tmp_path / "wheels").mkdir()
    wheel = make_wheel(tmp_path / "wheels", {}, name="leaf")
    origins = Origins(options=("--find-links ./wheels",))
    with pytest.raises(CognError):
        fetch(tmp_path, origins, of_server=True)
    with pytest.raises(CognError):
        fetch(tmp_path, Origins(), of_server=False)
    assert fetch(tmp_path, origins, of_server=False) == wheel.read_bytes()
