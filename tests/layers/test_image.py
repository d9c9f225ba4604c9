"""The index of several images, byte for byte, and what stands for one image and for several."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import anyio

from cogn.layers.image import Image, make_image, make_index, manifests_of
from cogn.layers.layout import OciArchive, OciLayout


def image_for(platform: str) -> Image:
    return make_image(
        [],
        platform=platform,
        environment={},
        labels={},
        entrypoint=(),
        command=("true",),
        working_directory="/",
        port=5000,
    )


ONE, OTHER = image_for("linux/amd64"), image_for("linux/arm64")


def test_an_index_is_canonical_and_names_the_platforms() -> None:
    index = make_index([OTHER, ONE])
    assert index == make_index([ONE, OTHER])
    manifests = ",".join(
        f'{{"digest":"{image.digest}","mediaType":"application/vnd.oci.image.manifest.v1+json",'
        f'"platform":{{"architecture":"{architecture}","os":"linux"}},'
        f'"size":{len(image.manifest.data)}}}'
        for image, architecture in ((ONE, "amd64"), (OTHER, "arm64"))
    )
    media_type = "application/vnd.oci.image.index.v1+json"
    expected = f'{{"manifests":[{manifests}],"mediaType":"{media_type}","schemaVersion":2}}'
    assert (index.data.decode(), index.media_type) == (expected, media_type)


def test_one_image_has_no_index() -> None:
    assert manifests_of([ONE]) == (ONE.manifest,)
    assert manifests_of([ONE, OTHER]) == (ONE.manifest, OTHER.manifest, make_index([ONE, OTHER]))


def named(layout: Path) -> dict[str, str]:
    """The digest of each name in a layout."""
    return {
        each["annotations"]["org.opencontainers.image.ref.name"]: each["digest"]
        for each in json.loads((layout / "index.json").read_bytes())["manifests"]
    }


def finish(layout: Path, tag: str, images: Sequence[Image]) -> None:
    anyio.run(OciLayout(layout, tag).finish, images)


def test_a_tag_of_a_layout_is_an_image_or_an_index(tmp_path: Path) -> None:
    finish(tmp_path, "one", [ONE])
    finish(tmp_path, "both", [ONE, OTHER])
    index = make_index([ONE, OTHER])
    assert named(tmp_path) == {"one": ONE.digest, "both": index.digest}
    for document in manifests_of([ONE, OTHER]):
        assert tmp_path.joinpath("blobs", *document.digest.split(":")).read_bytes() == document.data
    finish(tmp_path, "both", [OTHER])
    assert named(tmp_path) == {"one": ONE.digest, "both": OTHER.digest}


def test_an_archive_holds_the_index_of_several_images(tmp_path: Path) -> None:
    archive = OciArchive(tmp_path / "images.tar", "model:1")
    anyio.run(archive.finish, [ONE, OTHER])
    with tarfile.open(tmp_path / "images.tar") as file:
        file.extractall(tmp_path / "layout", filter="data")
    assert named(tmp_path / "layout") == {"model:1": make_index([ONE, OTHER]).digest}
