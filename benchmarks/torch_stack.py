"""Times how the torch CUDA stack becomes an image, from the same local wheels, beside peers.

Needs buildah, docker-registry and zstd, about 40 GB of disk, and network for the first run. Run it
with the interpreter of `.venv`. The table goes to stdout.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))  # for `benchmarks`
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))  # for `support`

from benchmarks.common import COGN, REQUIREMENT, UV, benchmark, fresh, make_project, run, warm

from cogn.lockfiles import Lock
from cogn.store import Cache
from support.projects import cache_of_inputs, unseal
from support.servers import running_registry


def main() -> None:
    """Run the benchmark."""
    with benchmark(__doc__) as (work, peers):
        rows, memory = measure(work, peers=peers)
    base = rows[0][1]
    print(f"{REQUIREMENT}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"{'':58} {'seconds':>8} {'ratio':>6}")
    for name, seconds in rows:
        print(f"{name:58} {seconds:8.2f} {seconds / base:6.1f}")
    print(f"largest process of cogn: {memory:.0f} MB")


def measure(work: Path, *, peers: bool) -> tuple[list[tuple[str, float]], float]:
    """Return what was timed, name and seconds, and the peak memory of cogn in MB."""
    project = make_project(work / "torch")
    run(COGN, "lock", project)
    run(COGN, "assemble", project)  # fetches what the measurements need
    lock = unseal(project)
    wheels = link_wheels(lock, work / "wheels")
    rows: list[tuple[str, float]] = []
    inputs = cache_of_inputs(lock, fresh(work / "cache"))
    environment = os.environ | {"COGN_CACHE": str(inputs)}
    shutil.rmtree(project / ".cogn", ignore_errors=True)

    def assemble(*more: str | Path) -> None:
        run(COGN, "assemble", project, *more, env=environment)

    warm(wheels)
    with running_registry(fresh(work / "registry")) as host:
        push = ("--push", f"{host}/torch:1")
        rows.append(timed("cogn assemble, an OCI layout", assemble))
        rows.append(timed("cogn assemble --push", lambda: assemble(*push)))
        rows.append(timed("cogn assemble, nothing changed", assemble))
        source = project / "run.py"
        source.write_text(source.read_text() + "# changed\n")
        rows.append(timed("cogn assemble, one line of source changed", assemble))
        rows.append(timed("cogn assemble --push, that line", lambda: assemble(*push)))
    unseal(project)
    cache_of_inputs(lock, fresh(inputs))
    with running_registry(fresh(work / "registry")) as host:
        first = ("--push", f"{host}/torch:1")
        rows.append(timed("cogn assemble --push, nothing built yet", lambda: assemble(*first)))
        # Nothing but cogn was started so far.
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        if peers:
            rows += buildah(wheels, host, work, project)
    if peers:
        rows += tar(wheels, work)
    return rows, memory


def link_wheels(lock: Lock, directory: Path) -> Path:
    """Give the cached wheels their names in a directory; return it."""
    fresh(directory)
    (locked,) = lock.environments.values()
    for wheel in locked.wheels:
        os.link(Cache().path(wheel.sha256), directory / wheel.file)
    return directory


def buildah(wheels: Path, host: str, work: Path, project: Path) -> list[tuple[str, float]]:
    """Time pip in a container, commit and push; the base is cogn's own, without wheels."""
    base = make_project(work / "base")
    (base / "requirements.txt").write_text("pip\n")
    (base / "cog.yaml").write_text(
        "build: {python_version: '3.13', python_requirements: requirements.txt}\nrun: run.py:run\n"
    )
    run(COGN, "lock", base)
    image = work / "base-image"  # a name that podman's tools can make an image's name of
    run(COGN, "assemble", base, "-o", f"oci:{image}")
    root = ("--root", fresh(work / "containers"))
    container = run("buildah", *root, "from", f"oci:{image}:latest").strip()
    isolated = ("--isolation", "chroot", "--network", "host")
    install = (
        *("python", "-m", "pip", "install", "--no-index", "--find-links", "/wheels"),
        *("--root-user-action=ignore", "--target", "/opt/site", "--no-compile", "torch"),
    )

    def build() -> None:
        volume = ("--volume", f"{wheels}:/wheels:ro")
        run("buildah", *root, "run", *isolated, *volume, container, "--", *install)
        run("buildah", *root, "commit", "--quiet", container, "torch")

    def push() -> None:
        target = f"docker://{host}/buildah:1"
        run("buildah", *root, "push", "--tls-verify=false", "torch", target)

    rows = [
        timed("buildah: pip install of the wheels, commit", build),
        timed("buildah push", push),
    ]

    changed = run("buildah", *root, "from", "torch").strip()

    def change() -> None:
        run("buildah", *root, "copy", "--quiet", changed, project / "run.py", "/src/run.py")
        run("buildah", *root, "commit", "--quiet", changed, "changed")

    rows.append(timed("buildah, one source file changed", change))
    run("buildah", *root, "rm", container, changed)
    return rows


def tar(wheels: Path, work: Path) -> list[tuple[str, float]]:
    """Time uv's installing and an archive of the result."""
    site = work / "site"
    shutil.rmtree(site, ignore_errors=True)
    platform_tag = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_40")
    install = (UV, "pip", "install", "--quiet", "--no-index", "--find-links", wheels, "--target")
    no_cache = ("--no-cache", "--link-mode", "copy")

    def unpack() -> None:
        run(*install, site, *platform_tag, *no_cache, "torch")

    def pack() -> None:
        run("sh", "-c", f"tar -C '{site}' -c . | zstd -q -3 -T2 -f -o '{work / 'site.tar.zst'}'")

    rows = [
        timed("uv pip install --target", unpack),
        timed("tar | zstd -3 -T2 of that", pack),
    ]
    shutil.rmtree(site)
    return rows


def timed(name: str, action: Callable[[], None]) -> tuple[str, float]:
    """Return the name and how many seconds the action took."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    begin = time.monotonic()
    action()
    seconds = time.monotonic() - begin
    print(f"  {seconds:.2f} s", file=sys.stderr, flush=True)
    return name, seconds


if __name__ == "__main__":
    main()
