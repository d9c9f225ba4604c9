"""Measures pushes of the torch CUDA stack and of a small model, beside skopeo and buildah.

Needs docker-registry, skopeo and buildah, about 40 GB of disk, and network for the first run. Run
it with the interpreter of `.venv`. The table goes to stdout: a `ratio` of 2 is twice as fast as the
claim's last peer above.
"""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # for `benchmarks`
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))  # for `support`

from benchmarks.common import COGN, REQUIREMENT, ROOT, benchmark, fresh, make_project, run, warm
from benchmarks.measurements import Claim, Measured, Row, best, measured, median
from benchmarks.peers import Buildah, skopeo
from benchmarks.proxy import CountingProxy

from cogn import lockfiles
from cogn.lockfiles import LOCK_NAME
from cogn.store import Cache
from support.projects import cache_of_inputs, unseal
from support.servers import running_registry

_BARE_ROUNDS = 5
_EDIT_ROUNDS = 9
_SETTLED = 3.0
"""Seconds. What a project says is remembered when its files are at least two seconds old."""

_SOURCES = {"hello": "predict.py", "torch": "run.py"}
_numbers = itertools.count(1)
"""Every tag and every changed line is another one."""


def main() -> None:
    """Run the benchmark."""
    with benchmark(__doc__) as (work, peers):
        bench = _Bench.prepare(work, peers=peers)
        with _empty_registry(work) as host:
            for name in _SOURCES:
                run(COGN, "assemble", work / name, "--push", f"{host}/models/{name}:1")
            claims = [_bare_checkout(bench, host), _changed_line(bench, host)]
        claims += _new_layers(bench)
        for name in ("built", "cache", "containers"):  # of no use to the next run
            shutil.rmtree(work / name, ignore_errors=True)
    processor = platform.processor() or platform.machine()
    print(f"{REQUIREMENT}, {bench.size / 1e9:.2f} GB, {processor}, {os.cpu_count()} cores")
    for claim in claims:
        print(f"\n{claim}")


@dataclass(frozen=True, slots=True)
class _Bench:
    """The directory `work` with a project for each of `_SOURCES`, locked, sealed and assembled.

    `layout` has the image of torch's, of `size` bytes.
    """

    work: Path
    peers: bool
    layout: Path
    size: int

    @classmethod
    def prepare(cls, work: Path, *, peers: bool) -> _Bench:
        """Make the projects, which fetches all that the measurements need."""
        _checkout(ROOT / "examples/hello", work / "hello")
        make_project(work / "torch")
        for name in _SOURCES:
            run(COGN, "lock", work / name)
            run(COGN, "assemble", work / name, "-o", f"oci:{fresh(work / f'{name}-image')}")
        layout = work / "torch-image"
        size = sum(blob.stat().st_size for blob in (layout / "blobs" / "sha256").iterdir())
        return cls(work, peers, layout, size)


def _bare_checkout(bench: _Bench, host: str) -> Claim:
    same = _checkout(bench.work / "torch", bench.work / "torch-same")
    changed = _checkout(bench.work / "torch", bench.work / "torch-changed")

    def push(project: Path, image: str) -> Measured:
        return _push(project, image, cache=fresh(bench.work / "cache"))

    def push_changed(image: str) -> Measured:
        _change(changed / _SOURCES["torch"])
        return push(changed, image)

    def row(what: str, action: Callable[[str], Measured], peer: Measured | None) -> Row:
        def to(host: str) -> Measured:
            return action(f"{host}/models/torch:{next(_numbers)}")

        took = median([to(host) for _ in range(_BARE_ROUNDS)])
        with CountingProxy(host) as proxy:  # in a push of its own: a proxy takes time
            to(proxy.host)
        sent, received = proxy.bytes["sent"], proxy.bytes["received"]
        return Row(what=what, took=took, peer=peer, sent=sent, received=received)

    rows = []
    if bench.peers:
        rows.append(row("skopeo copy of the whole image", partial(skopeo, bench.layout), None))
    peer = rows[0].took if rows else None
    rows.append(row("cogn assemble --push, the same image", partial(push, same), peer))
    rows.append(row("cogn assemble --push, one line changed", push_changed, peer))
    return Claim(
        "A bare checkout and an empty cache, a registry that has the sealed layers: at most 1 s, "
        "under 100 kB sent",
        rows,
    )


def _changed_line(bench: _Bench, host: str) -> Claim:
    buildah = Buildah(bench.work)
    edited = {
        name: _checkout(bench.work / name, bench.work / f"{name}-edited") for name in _SOURCES
    }
    time.sleep(_SETTLED)
    took: dict[str, list[Measured]] = defaultdict(list)
    for _ in range(1 + _EDIT_ROUNDS):
        took["python"].append(measured(sys.executable, "-c", "pass"))
        for name, project in edited.items():
            image = f"{host}/models/{name}:1"
            _change(project / _SOURCES[name])
            took[f"cogn {name}"].append(_push(project, image))
            if bench.peers:
                took[f"buildah {name}"].append(buildah.push_change(project, image))
    # The first round pulled the image that buildah starts from, and noted what the projects say.
    medians = {what: median(each[1:]) for what, each in took.items()}
    python = medians["python"]
    rows = [Row(what="python -c pass", took=python)]
    for name in _SOURCES:
        cogn, peer = medians[f"cogn {name}"], medians.get(f"buildah {name}")
        if peer is not None:
            rows.append(Row(what=f"buildah bud, buildah push: {name}", took=peer))
        rows.append(Row(what=f"cogn assemble --push: {name}", took=cogn, peer=peer))
        more = Measured(cogn.seconds - python.seconds, cogn.memory)
        rows.append(Row(what="  more than the interpreter", took=more))
    return Claim(
        "One line of source changed, from command to pushed: under 0.3 s more than starting the "
        "interpreter",
        rows,
    )


def _new_layers(bench: _Bench) -> list[Claim]:
    torch = bench.work / "torch"
    lock = lockfiles.read(torch / LOCK_NAME)
    unsealed = _checkout(torch, bench.work / "torch-unsealed")

    def inputs() -> Path:
        return cache_of_inputs(lock, fresh(bench.work / "cache"))

    def streamed(image: str) -> Measured:
        return _push(torch, image, cache=inputs())

    def cold(image: str) -> Measured:
        unseal(unsealed)
        return _push(unsealed, image, cache=inputs())

    def built_first(image: str) -> Measured:
        layout = fresh(bench.work / "built")
        command = (COGN, "assemble", torch, "-o", f"oci:{layout}")
        building = measured(*command, env=os.environ | {"COGN_CACHE": str(inputs())})
        return building + skopeo(layout, image)

    ways: dict[str, Callable[[str], Measured]] = {
        "cogn assemble --push, layers in the cache": partial(_push, torch),
        "cogn assemble --push, layers made on the way": streamed,
        "cogn assemble --push, no seals": cold,
    }
    cached, on_the_way, first = ways
    copy, layout_first = "skopeo copy", "cogn assemble, skopeo copy"
    if bench.peers:
        ways |= {copy: partial(skopeo, bench.layout), layout_first: built_first}
    warm(Cache().root)
    took: dict[str, list[Measured]] = defaultdict(list)
    for names in (list(ways), list(reversed(ways))):
        for name in names:
            with _empty_registry(bench.work) as host:
                os.sync()  # nobody waits for what was written before
                took[name].append(ways[name](f"{host}/models/torch:1"))
    bests = {what: best(each) for what, each in took.items()}

    def rows(own: str, peer: str) -> list[Row]:
        beside = bests.get(peer)
        others = [] if beside is None else [Row(what=peer, took=beside, size=bench.size)]
        return [*others, Row(what=own, took=bests[own], peer=beside, size=bench.size)]

    return [
        Claim(
            "New layers: at least 0.8 of the speed of skopeo copy, memory under 150 MB",
            rows(cached, copy),
        ),
        Claim(
            "Sealed layers that are not in the cache: memory under 150 MB",
            rows(on_the_way, layout_first),
        ),
        Claim(
            "The first push: layers go out while others are being built",
            rows(first, layout_first),
        ),
    ]


def _push(project: Path, image: str, *, cache: Path | None = None) -> Measured:
    """Push with the cache that has everything, unless another one is given."""
    env = os.environ | {"COGN_CACHE": str(cache or Cache().root)}
    return measured(COGN, "assemble", project, "--push", image, env=env)


def _change(source: Path) -> None:
    """Add a line that was never there."""
    with source.open("a") as file:
        file.write(f"# {next(_numbers)}\n")


def _checkout(project: Path, copy: Path) -> Path:
    """Copy the files that are committed; return the copy."""
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".cogn"))


@contextmanager
def _empty_registry(work: Path) -> Iterator[str]:
    """Run a registry of its own that has nothing; give ``host:port``."""
    directory = fresh(work / "registry")
    try:
        with running_registry(directory) as host:
            yield host
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
