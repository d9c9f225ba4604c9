"""The bytes of the layer format, as literals: any change of them is seen here first.

They change only with the format's name, `cogn.layers.layer.FORMAT`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import deflate

from cogn.layers.debian.unpack import unpacked_debs
from cogn.layers.entry import Bytes, DeflateStream, Entry
from cogn.layers.facts import Facts, debian_facts
from cogn.layers.image import make_image
from cogn.layers.install import installed
from cogn.layers.layer import FORMAT, Layer
from cogn.layers.source import source_entries
from cogn.layers.wheel import WheelFile
from support.debian import make_deb, tar_member
from support.layers import write_layer
from support.wheels import make_wheel

PATTERN = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(1 << 13))


def test_the_bytes_of_a_small_image_are_these(tmp_path: Path) -> None:
    assert FORMAT == "cogn-layer/1"
    facts = debian_facts("trixie", "amd64")
    with package(tmp_path) as entries:
        layers = {"packages": layer(entries, facts)}
    layers["wheels"] = layer(wheel(tmp_path), facts)
    layers["stream"] = layer([copied(tmp_path)], facts)
    layers["source"] = layer(source(tmp_path), facts)
    image = make_image(
        list(layers.items()),
        platform="linux/amd64",
        environment={"PATH": "/usr/bin"},
        labels={"run.cog.has_init": "true"},
        entrypoint=("/usr/bin/tini", "--"),
        command=("python",),
        working_directory="/src",
        port=5000,
    )
    found = {name: each.digest.removeprefix("sha256:") for name, each in layers.items()}
    assert found | {"config": image.config.digest, "image": image.digest} == {
        "packages": "54f3b46ecd4f115cdf6619b717927b8dc522096bac3eb97f354d54a384f0f47c",
        "wheels": "1f9cdc206a67091b1a9fffca1a1292945fc49435372cfd9a917bc0907de30873",
        "stream": "f0a7118f2c6b7f88ed95099663d4b660f3905d2412eeff508a1bc73e86e81a36",
        "source": "b01d41498fc1549b4f82b7aec14322a445ac785d324634141740a0fa28cfa813",
        "config": "sha256:07f826b22870baceff18eec0ed07687c758ef6774fef6cea43175a9738e2bd58",
        "image": "sha256:ceb9afcbd58c1c0a500fd5c00febcd2dad7bc814da65cc00261947ae902983a0",
    }


def layer(entries: Iterable[Entry], facts: Facts) -> Layer:
    written = write_layer(entries, facts)
    digest = f"sha256:{hashlib.sha256(written.blob).hexdigest()}"
    return Layer(diff_id=written.diff_id, digest=digest, size=len(written.blob))


@contextmanager
def package(directory: Path) -> Iterator[list[Entry]]:
    """A package with links, modes and owners, and a path below a link of the base."""
    members = [
        tar_member("./", type=b"5", mode=0o755),
        tar_member("./lib/", type=b"5", mode=0o755),
        tar_member("./lib/plain.so", b"elf"),
        tar_member("./usr/bin/setuid", b"#!", mode=0o4755),
        tar_member("./usr/bin/again", type=b"1", linkname="./usr/bin/setuid", mode=0o4755),
        tar_member("./usr/bin/link", type=b"2", linkname="setuid"),
        tar_member("./var/mail/group", b"", gid=8, mode=0o660),
    ]
    made = make_deb(directory, "sample", members)
    with unpacked_debs([made], debian_facts("trixie", "amd64"), directory) as entries:
        yield entries


def wheel(directory: Path) -> list[Entry]:
    """A wheel with an empty file, a long and a non-ASCII name, and a script."""
    path = make_wheel(
        directory,
        {
            "sample/__init__.py": "",
            "sample/ünïcode.txt": "text",
            f"sample/{'long' * 30}.py": "x = 1\n",
            "sample-1.0.data/scripts/tool": "#!python\n",
        },
    )
    return installed(WheelFile(path, path.name), "opt/cogn/site")


def copied(directory: Path) -> Entry:
    """A file whose deflate stream is long enough to be copied."""
    stream = bytes(deflate.deflate_compress(PATTERN, 1))
    path = directory / "stream"
    path.write_bytes(stream)
    content = DeflateStream(path, 0, len(stream), size=len(PATTERN), crc=deflate.crc32(PATTERN))
    return Entry.file("opt/cogn/site/big.bin", content)


def source(directory: Path) -> list[Entry]:
    """A source tree with an executable file, a link and an empty directory."""
    root = directory / "project"
    (root / "empty").mkdir(parents=True)
    (root / "predict.py").write_text("def predict() -> str: ...\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "latest").symlink_to("predict.py")
    return [*source_entries(root), Entry.file("src/large", Bytes(PATTERN * 20))]
