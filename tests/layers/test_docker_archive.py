"""Docker archives: what is in them, and that the programs they are for read them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from cogn.layers.build import Builder
from cogn.layers.destination import LocalDestination
from cogn.layers.docker_archive import DockerArchive
from cogn.layers.errors import LayerError
from cogn.layers.image import Image
from cogn.layers.layer import Compression
from cogn.layers.publish import publish
from cogn.report import CognError, Reporter
from cogn.store import DamagedBlobError
from support.containers import podman
from support.images import blob_of, build_image, make_builder, rot

NAME = "cogn-test/docker-archive:1"


@pytest.fixture(params=get_args(Compression))
def builder(tmp_path: Path, request: pytest.FixtureRequest) -> Builder:
    return make_builder(tmp_path / "cache", request.param)


def write(builder: Builder, file: Path) -> Image:
    """Write an image of two layers; return it."""
    image, names = build_image(builder)
    anyio.run(publish, [image], names, builder, DockerArchive(file, NAME, Reporter()))
    return image


def diff_ids(image: Image) -> list[str]:
    return [layer.diff_id for layer in image.layers]


def skopeo(*arguments: str) -> str:
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=True).stdout


def test_layers_are_plain_tar_files_with_the_names_of_their_diff_ids(
    builder: Builder, tmp_path: Path
) -> None:
    image = write(builder, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        contents: dict[str, Any] = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    (manifest,) = json.loads(contents.pop("manifest.json"))
    hexes = [diff_id.removeprefix("sha256:") for diff_id in diff_ids(image)]
    config = image.config.digest.removeprefix("sha256:")
    assert manifest == {
        "Config": f"{config}.json",
        "RepoTags": [NAME],
        "Layers": [f"{diff}.tar" for diff in hexes],
    }
    assert contents.pop(f"{config}.json") == image.config.data
    assert {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()} == {
        f"{diff}.tar": diff for diff in hexes
    }


def test_the_same_image_gives_the_same_bytes_at_any_time_and_place(tmp_path: Path) -> None:
    files = [tmp_path / name / "image.tar" for name in ("one", "two")]
    for file in files:
        write(make_builder(file.parent / "cache"), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    with tarfile.open(files[0]) as archive:
        assert {member.mtime for member in archive} == {315_619_200}


def test_how_a_layer_is_compressed_makes_no_difference(tmp_path: Path) -> None:
    files = []
    for compression in get_args(Compression):
        files.append(tmp_path / f"{compression}.tar")
        write(make_builder(tmp_path / compression, compression), files[-1])
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_layer_that_is_there_twice_is_written_once(tmp_path: Path) -> None:
    builder, file = make_builder(tmp_path / "cache"), tmp_path / "image.tar"
    image, names = build_image(builder)
    twice = Image(
        manifest=image.manifest,
        config=image.config,
        layers=(*image.layers, image.layers[0]),
        platform=image.platform,
    )
    anyio.run(publish, [twice], names, builder, DockerArchive(file, NAME, Reporter()))
    with tarfile.open(file) as archive:
        assert len(archive.getnames()) == 4


@pytest.mark.podman
def test_skopeo_reads_it(builder: Builder, tmp_path: Path) -> None:
    image = write(builder, tmp_path / "image.tar")
    source = f"docker-archive:{tmp_path / 'image.tar'}"
    inspected = json.loads(skopeo("inspect", source))
    assert (inspected["Architecture"], inspected["Layers"]) == ("amd64", diff_ids(image))
    manifest = json.loads(skopeo("inspect", "--raw", f"{source}:{NAME}"))
    assert manifest["config"]["digest"] == image.config.digest
    skopeo("copy", source, f"oci:{tmp_path / 'layout'}:copy")
    config = json.loads(skopeo("inspect", "--config", f"oci:{tmp_path / 'layout'}:copy"))
    assert config["rootfs"]["diff_ids"] == diff_ids(image)


@pytest.mark.podman
def test_podman_loads_it(builder: Builder, tmp_path: Path) -> None:
    image = write(builder, tmp_path / "image.tar")
    try:
        assert f"localhost/{NAME}" in podman("load", "--input", str(tmp_path / "image.tar"))
        (loaded,) = json.loads(podman("image", "inspect", NAME))
    finally:
        podman("rmi", "--force", NAME)
    assert f"sha256:{loaded['Id']}" == image.config.digest
    assert loaded["RootFS"]["Layers"] == diff_ids(image)


def cut(file: Path) -> None:
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize("damage", [rot, cut, Path.unlink])
def test_a_blob_that_is_damaged_as_it_is_written_is_an_error_and_leaves_nothing(
    builder: Builder, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    class Damaging(DockerArchive):
        async def finish(self, images: Sequence[Image]) -> frozenset[str]:
            damage(blob_of(builder, images[0].layers[0]))
            return await super().finish(images)

    image, names = build_image(builder)
    target = tmp_path / "out" / "image.tar"
    target.parent.mkdir()
    target.write_bytes(b"an earlier one")
    with pytest.raises(DamagedBlobError, match="is damaged") as raised:
        anyio.run(publish, [image], names, builder, Damaging(target, NAME, Reporter()))
    assert raised.value.hint
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == b"an earlier one"


def test_several_platforms_are_refused(tmp_path: Path) -> None:
    builder, file = make_builder(tmp_path / "cache"), tmp_path / "image.tar"
    pairs = [build_image(builder, platform=f"linux/{name}") for name in ("amd64", "arm64")]
    images, names = [image for image, _ in pairs], pairs[0][1]
    with pytest.raises(
        LayerError, match=r"one platform, not of linux/amd64 and linux/arm64$"
    ) as raised:
        anyio.run(publish, images, names, builder, DockerArchive(file, NAME, Reporter()))
    assert "--platform linux/amd64" in str(raised.value.hint)
    assert not file.exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LayerError, match=r"image.tar` cannot be written: "):
        write(make_builder(tmp_path / "cache"), tmp_path / "file" / "image.tar")


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("a/b.tar", "a/b.tar", None),
        ("b.tar:hello", "b.tar", "hello:latest"),
        ("b.tar:hello:1", "b.tar", "hello:1"),
        ("/b.tar:localhost:5000/me/hello", "/b.tar", "localhost:5000/me/hello:latest"),
    ],
)
def test_a_destination_is_read_as_skopeo_reads_it(text: str, path: str, name: str | None) -> None:
    parsed = LocalDestination.parse(f"docker-archive:{text}")
    assert (parsed.kind, parsed.path, parsed.name) == ("docker-archive", Path(path), name)
    assert str(parsed).startswith(f"docker-archive:{text}")


@pytest.mark.parametrize(
    "text", ["docker-archive", "docker-archive:", "docker-archive:b.tar:", "docker-archive:b:A"]
)
def test_what_is_no_destination_is_refused(text: str) -> None:
    with pytest.raises(CognError, match="is not") as raised:
        LocalDestination.parse(text)
    assert raised.value.hint


def test_a_digest_cannot_be_given() -> None:
    with pytest.raises(LayerError, match="has a digest"):
        LocalDestination.parse(f"docker-archive:b.tar:hello@sha256:{'0' * 64}")
