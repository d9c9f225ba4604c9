"""Loading: an image goes into a container engine of this machine, docker or podman.

Both get an OCI layout, because it keeps the digests of manifest and layers. Its layers are links
into the cache. A podman that works on this machine's own files reads the layout where it lies, and
so only the layers that it lacks. Anything else gets the layout as an archive through a pipe.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import IO, Literal
from uuid import uuid4

import anyio
import anyio.to_thread
import msgspec

from cogn.layers import tar
from cogn.layers.build import Builder
from cogn.layers.destination import LayerBlob
from cogn.layers.docker_archive import require_one
from cogn.layers.entry import MTIME
from cogn.layers.errors import LayerError
from cogn.layers.image import Image
from cogn.layers.layout import OciLayout
from cogn.layers.publish import publish
from cogn.report import Task
from cogn.store.registry import Reference

__all__ = ["Engine", "EngineName", "find_engine", "load"]

EngineName = Literal["docker", "podman"]

# What prints something when the engine can be used; podman says whether it is elsewhere.
_PROBES: Mapping[EngineName, tuple[str, ...]] = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "podman": ("podman", "info", "--format", "{{.Host.ServiceIsRemote}}"),
}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers; get it from `find_engine`."""

    name: EngineName
    is_local: bool
    """Whether it reads this machine's files."""

    def __str__(self) -> str:
        """Return the name of the engine's program."""
        return self.name

    async def has(self, image: Image, name: str) -> bool:
        """Tell whether the engine calls this very image `name`."""
        ended = await _run([self.name, "image", "inspect", "--format", "{{.Id}}", name])
        # The digest of the configuration, but that of the manifest in docker's newer image store.
        found = ended.stdout.decode().strip().removeprefix("sha256:")
        return found in {_hex(image.config.digest), _hex(image.digest)}


async def find_engine(wanted: EngineName | None = None) -> Engine:
    """Return the engine that is wanted, else docker if it answers, else podman.

    docker goes first: podman's program works without an engine, so that it is there says little,
    while a docker engine that answers is one that somebody has started. Raises `LayerError` when
    none answers.
    """
    problems = []
    for name in _PROBES if wanted is None else (wanted,):
        try:
            ended = await _run(_PROBES[name])
        except OSError as error:
            problems.append(f"`{name}` cannot be started ({error.strerror})")
            continue
        if ended.returncode == 0:
            return Engine(name, is_local=ended.stdout.strip() == b"false")
        problems.append(f"`{name}` does not answer ({_last_lines(ended.stderr, 1)})")
    raise LayerError(
        "there is no container engine to load the image into: " + "; ".join(problems),
        hint="start the engine, or write a file for another one with `-o docker-archive:FILE`",
    )


async def load(
    images: Sequence[Image], names: Mapping[str, str], builder: Builder, engine: Engine, name: str
) -> None:
    """Bring the only one of `images` into `engine` as `name`, unless it is there already.

    `names` tells what each layer's digest is called in messages. Raises `LayerError` for images of
    several platforms and when the engine fails.
    """
    require_one([image.platform for image in images], str(engine))
    image = images[0]
    # docker's newer image store takes names as they are, so they have to be whole.
    given = str(Reference.parse(name)) if engine.name == "docker" else name
    if await engine.has(image, name):
        return
    with tempfile.TemporaryDirectory(prefix="cogn-") as directory:
        # podman gives the image the layout's name, for a moment: it must not be another's.
        layout = Path(directory, f"cogn-{uuid4().hex}")
        await publish(images, names, builder, _LinkedLayout(layout, given))
        size = None if engine.is_local else sum(layer.size for layer in image.layers)
        with builder.reporter.task("Loading", f"{name} into {engine}", size) as task:
            if engine.is_local:
                await _pull(engine, layout, image, name)
            else:
                await anyio.to_thread.run_sync(_send, engine, layout, image, given, task)


class _LinkedLayout(OciLayout):
    """An OCI layout that holds no copies of layers, for as long as nobody prunes the cache."""

    async def put_layer(self, blob: LayerBlob) -> None:
        _link(await blob.file(), self._blob(blob.digest))


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(file.absolute())


async def _pull(engine: Engine, layout: Path, image: Image, name: str) -> None:
    """Let an engine read a layout and give the image its name."""
    identity = _hex(image.config.digest)
    for arguments in (("pull", "--quiet", f"oci:{layout.name}"), ("tag", identity, name)):
        command = (engine.name, *arguments)
        # From where the layout lies: a path may have a colon, which would begin a name.
        ended = await _run(command, layout.parent)
        if ended.returncode != 0:
            raise _failed(command, ended.stderr)
    # Up to podman 4 the layout's name stays; later ones give none.
    await _run((engine.name, "untag", identity, f"localhost/{layout.name}:latest"))


def _send(engine: Engine, layout: Path, image: Image, name: str, task: Task) -> None:
    """Give an engine the archive of a layout on its standard input."""
    if engine.name == "docker":
        (layout / "manifest.json").write_bytes(_manifest(image, name))
    command = (engine.name, "load", "--quiet")
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        ) as process,
    ):
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:  # what it said tells why it ended
            _write_archive(process.stdin, layout, task)
        if process.wait() != 0:
            said.seek(0)
            raise _failed(command, said.read())


def _manifest(image: Image, name: str) -> bytes:
    """Return what docker's older image store reads instead of the layout's index."""
    layers = [f"blobs/{layer.digest.replace(':', '/')}" for layer in image.layers]
    config = f"blobs/{image.config.digest.replace(':', '/')}"
    return msgspec.json.encode([{"Config": config, "RepoTags": [name], "Layers": layers}])


def _write_archive(out: IO[bytes], directory: Path, task: Task) -> None:
    """Write the files of a directory to `out`, which need not be seekable, as a tar archive."""
    for path in sorted(directory.rglob("*")):
        if path.is_dir():
            continue
        member = tarfile.TarInfo(path.relative_to(directory).as_posix())
        member.mtime = MTIME
        member.size = path.stat().st_size
        out.write(member.tobuf(tarfile.GNU_FORMAT))
        with path.open("rb") as file:
            while data := file.read(_CHUNK):
                out.write(data)
                task.advance(len(data))
        out.write(tar.padding(member.size))
    out.write(tar.END)


async def _run(command: Sequence[str], directory: Path | None = None) -> CompletedProcess[bytes]:
    return await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False, cwd=directory)


def _failed(command: Sequence[str], said: bytes) -> LayerError:
    return LayerError(f"`{' '.join(command)}` failed: {_last_lines(said, 3)}")


def _last_lines(said: bytes, most: int) -> str:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-most:]) or "it does not say why"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
