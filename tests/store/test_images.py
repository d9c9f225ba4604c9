"""Images as bases: found by their documents, read by their layers, refused when these are wrong."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import resource
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import pytest
import zstandard

from cogn.report import Reporter
from cogn.store import Cache, HashError, RegistryError
from cogn.store.errors import ImageError
from cogn.store.images import (
    ImageSource,
    Metadata,
    RegistryImage,
    Rootfs,
    RootfsReader,
    find_image,
)
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from cogn.store.tasks import task_group
from support.bases import GZIP, LABELS, PLAIN, BaseImage, small_base
from support.debian import make_tar, tar_member
from support.registry import CutResponse, Endpoint, FakeRegistry, Fault, digest_of, first

Made = tuple[RegistryImage, str, Rootfs]


def look(registry: FakeRegistry, cache: Path, version: str = ":1") -> Made:
    """Find the image in the registry and read what it holds."""

    async def run() -> Made:
        configuration = RegistryConfiguration({}, {})
        reference = Reference.parse(f"{registry.host}/team/base{version}")
        async with Registries.open(configuration, Reporter()) as registries:
            source = ImageSource(reference, registries, Reporter())
            image = await find_image(source, "linux/amd64", most_layers=3)
            reader = RootfsReader(Cache(cache))
            return image, *await reader.read(image.manifest, image.layers, source)

    return anyio.run(run)


def of_archives(*archives: bytes) -> BaseImage:
    return BaseImage([(GZIP, gzip.compress(each), each) for each in archives])


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as written:
        for member, data in members:
            written.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_an_image_is_read_once_whatever_its_layers_are_packed_in(tmp_path: Path) -> None:
    base = small_base({"a": b"1"}, {"b": b"2"}, {"c": b"3"})
    (_, blob, first_archive), (_, _, second), (_, _, third) = base.layers
    parts = [zstandard.compress(second[:700]), zstandard.compress(second[700:])]
    zstd = "application/vnd.oci.image.layer.v1.tar+zstd"
    members = gzip.compress(first_archive[:600]) + gzip.compress(first_archive[600:])
    assert members != blob
    packed = [
        (GZIP, members, first_archive),
        (zstd, b"".join(parts), second),
        (PLAIN, third, third),
    ]
    with FakeRegistry() as registry:
        manifest = replace(base, layers=packed).put(registry)
        image, digest, rootfs = look(registry, tmp_path)
        assert image.manifest == manifest
        assert [layer.media_type.rpartition(".")[2] for layer in image.layers] == [
            *("tar+gzip", "tar+zstd", "tar")
        ]
        assert image.environment[1:] == ("TEAM=blue", "LANG=C")
        assert image.labels == LABELS
        assert {"a", "b", "c", "var/lib/dpkg/status"} <= rootfs.files
        assert rootfs.release == {"ID": "debian", "VERSION_CODENAME": "trixie"}
        assert rootfs.status.startswith("Package: libc6\n")
        registry.requests.clear()
        again = look(registry, tmp_path, f"@{manifest}")
        assert again == (msgspec.structs.replace(image, index=None), digest, rootfs)
        assert not [each for each in registry.requests if each.path.endswith(digest_of(third))]


def test_layers_are_put_on_each_other_as_runtimes_do(tmp_path: Path) -> None:
    link = {"type": tarfile.SYMTYPE, "size": 0}
    folder = {"type": tarfile.DIRTYPE}
    layers = (
        archive(
            tar_member("./bin", linkname="usr/bin", **link),
            tar_member("opt/", mode=0o2750, uid=7, **folder),
            tar_member("opt/gone", b"1"),
            tar_member("opt/kept", b"2"),
            tar_member("srv/a/b", b"3"),
            tar_member("lib", linkname="usr/lib", **link),
            tar_member("tree/x/y", b"4"),
            tar_member(f"long/{'n' * 150}/ü", b"5"),
            tar_member("var/lib/dpkg/status", b"Package: old\n"),
            form=tarfile.GNU_FORMAT,
        ),
        archive(
            tar_member("opt/.wh.gone"),
            tar_member("srv/a/.wh..wh..opq"),
            tar_member("srv/a/c", b"6"),
            tar_member("lib/z", b"7"),  # a directory takes the place of the link
            tar_member("tree", b"8"),  # a file takes the place of the directory
            tar_member("dev/pipe", type=tarfile.FIFOTYPE),
            tar_member("hard", type=tarfile.LNKTYPE, linkname="tree"),
            tar_member("var/lib/dpkg/status", b"Package: new\n"),
        ),
    )
    with FakeRegistry() as registry:
        of_archives(*layers).put(registry)
        _, _, rootfs = look(registry, tmp_path)
    assert rootfs.links == {"bin": "usr/bin"}
    assert rootfs.directories["opt"] == Metadata(0o2750, 7, 0)
    assert rootfs.directories["lib"] == Metadata()
    assert rootfs.files == {
        *("opt/kept", "srv/a/c", "lib/z", "tree", "dev/pipe", "hard", "var/lib/dpkg/status"),
        f"long/{'n' * 150}/ü",
    }
    assert rootfs.status == "Package: new\n"


def test_a_layer_that_images_have_in_common_is_read_once(tmp_path: Path) -> None:
    family = small_base({"a": b"1"}, {"b": b"2"}), small_base({"a": b"1"}, {"c": b"3"})
    with FakeRegistry() as registry:
        for number, base in enumerate(family):
            base.put(registry, tag=str(number))
            look(registry, tmp_path, f":{number}")
        common = digest_of(family[0].layers[0][1])
        read = [each.path for each in registry.requests if each.path.endswith(common)]
        assert len(read) == 1
        lying = replace(
            family[1], config={"rootfs": {"diff_ids": [digest_of(b""), digest_of(b"")]}}
        )
        lying.put(registry, tag="2")
        with pytest.raises(ImageError, match="does not hold what its configuration says"):
            look(registry, tmp_path, ":2")


def test_a_layer_on_which_two_platforms_agree_is_read_once(tmp_path: Path) -> None:
    shared = small_base({"a": bytes(1 << 20)}, {"b": b"2"})

    async def run(registry: FakeRegistry) -> None:
        reference = Reference.parse(f"{registry.host}/team/base:1")
        configuration = RegistryConfiguration({}, {})
        async with Registries.open(configuration, Reporter()) as registries, task_group() as tasks:
            source = ImageSource(reference, registries, Reporter())
            image = await find_image(source, "linux/amd64", most_layers=3)
            for manifest in (digest_of(b"1"), digest_of(b"2")):
                reader = RootfsReader(Cache(tmp_path))
                tasks.start_soon(reader.read, manifest, image.layers, source)

    with FakeRegistry() as registry:
        shared.put(registry)
        registry.requests.clear()
        anyio.run(run, registry)
        for _, blob, _ in shared.layers:
            read = [each for each in registry.requests if each.path.endswith(digest_of(blob))]
            assert len(read) == 1


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path) -> None:
    base = small_base({"a": bytes(range(256)) * 4000})
    cut = Fault(CutResponse(after=900, of_body=True), on=Endpoint.BLOB_GET, times=first(3))
    with FakeRegistry() as registry:
        base.put(registry)
        expected = look(registry, tmp_path / "one")
        registry.inject(cut)
        assert look(registry, tmp_path / "two") == expected


GOOD = small_base({"a": b"1"})
ONE = GOOD.layers[0]


def lying(**manifest: object) -> BaseImage:
    return replace(GOOD, manifest=manifest)


def descriptor(**changes: object) -> dict[str, object]:
    kind, blob, _ = ONE
    known = {"mediaType": kind, "digest": digest_of(blob), "size": len(blob)}
    return known | changes


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (replace(GOOD, architecture="arm64"), "is not for linux/amd64, but for linux/arm64, win"),
        (
            replace(GOOD, config={"architecture": "arm64"}),
            "is not for linux/amd64, but for linux/arm64",
        ),
        (
            replace(GOOD, config={"rootfs": {"diff_ids": []}}),
            "manifest has 1 layers and its configuration 0",
        ),
        (
            replace(GOOD, config={"rootfs": {"diff_ids": [digest_of(b"")]}}),
            "does not hold what its configuration says",
        ),
        (replace(GOOD, config={"config": {"Env": ["NOTHING"]}}), "which is no variable"),
        (
            replace(GOOD, config={"config": {"Labels": {"x": "y" * (1 << 18)}}}),
            "its labels are too large",
        ),
        (replace(GOOD, config={"rootfs": 1}), "a document of it is malformed"),
        (
            small_base({}, {"a": b""}, {"b": b""}, {"c": b""}),
            "has 4 layers; a base may have 1 to 3",
        ),
        (lying(layers=[]), "has 0 layers"),
        (lying(layers=[descriptor(size=1 << 40)]), "a document of it is malformed"),
        (lying(layers=[descriptor(digest="sha256:../../x")]), "a document of it is malformed"),
        (lying(layers=[descriptor(urls=["http://x"])]), "has a layer that cogn does not read"),
        (lying(layers=[descriptor(mediaType="text/plain")]), "has a layer that cogn does not read"),
        (lying(manifests=[]), "is of no known version"),
        (lying(schemaVersion=1), "is of no known version"),
        (lying(mediaType="text/html"), "manifest has the type `text/html`"),
        (lying(config=descriptor(mediaType="application/json")), "is no image"),
        (replace(GOOD, layers=[(GZIP, ONE[1][:-9], ONE[2])]), "does not hold what its"),
        (replace(GOOD, layers=[(GZIP, b"\x1f\x8bnothing" * 9, ONE[2])]), "is damaged"),
        (of_archives(b"\1" * 1024), "archive is damaged"),
        (of_archives(ONE[2][:700]), "ends in the middle of a file"),
        (of_archives(archive(tar_member("../etc/passwd"))), "a path that no image may have"),
        (of_archives(archive(tar_member("d/" * 200))), "a path that no image may have"),
        (
            of_archives(archive(tar_member("s", type=b"S"), form=tarfile.GNU_FORMAT)),
            "of a kind that cogn does not read",
        ),
        (
            of_archives(archive(tar_member("var/lib/dpkg/status", type=b"1", linkname="a"))),
            "is no plain file",
        ),
    ],
)
def test_an_image_that_lies_is_refused(base: BaseImage, message: str, tmp_path: Path) -> None:
    with FakeRegistry() as registry:
        base.put(registry)
        with pytest.raises(ImageError, match=message) as refused:
            look(registry, tmp_path)
        assert f"`{registry.host}/team/base:1` cannot be a base: " in refused.value.message
    assert not list((tmp_path / "blobs").glob("**/*.*"))


def test_a_kept_file_is_bytes_until_it_is_read_as_text(tmp_path: Path) -> None:
    files = {
        "etc/ld.so.cache": b"\xff\0",
        "etc/passwd": b"root:*:0:0:\xc3\xbc:/root:/bin/sh\n",
        "etc/motd": b"kept by nobody",
        "etc/dpkg/dpkg.cfg.d/docker": b"path-exclude=/usr/share/man/*\n",
        "var/lib/dpkg/alternatives/awk": b"auto\n",
        "var/lib/dpkg/status.d/x.md5sums": b"0  x\n",
    }
    with FakeRegistry() as registry:
        small_base(files).put(registry)
        _, _, rootfs = look(registry, tmp_path)
    assert rootfs.contents.keys() == files.keys() - {
        *("etc/motd", "var/lib/dpkg/status.d/x.md5sums")
    } | {"usr/lib/os-release", "var/lib/dpkg/status"}
    assert rootfs.contents["etc/ld.so.cache"] == b"\xff\0"
    assert (rootfs.text("etc/passwd").count("ü"), rootfs.text("etc/shadow")) == (1, "")
    with pytest.raises(ImageError, match=r"`etc/ld\.so\.cache` of the base image is not UTF-8"):
        rootfs.text("etc/ld.so.cache")


def swap(registry: FakeRegistry, data: bytes) -> None:
    blobs = registry.repositories["team/base"].blobs
    blobs[digest_of(ONE[1])] = data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ONE[1][:-1] + b"?", "gave other bytes"),
        (ONE[1] + b"?", "gave other bytes"),
        (ONE[1][:-1], "gave other bytes"),
    ],
)
def test_other_bytes_than_the_digest_says_are_refused(
    data: bytes, message: str, tmp_path: Path
) -> None:
    with FakeRegistry() as registry:
        GOOD.put(registry)
        swap(registry, data)
        with pytest.raises(HashError, match=message):
            look(registry, tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_layer_that_unpacks_to_far_too_much_is_given_up(
    pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cogn.store.images.reading._ALWAYS_ALLOWED", 1 << 20)
    plain = make_tar([tar_member("zeros", bytes(64 << 20))])
    kind = "tar+zstd" if pack is zstandard.compress else "tar+gzip"
    base = BaseImage([(f"application/vnd.oci.image.layer.v1.{kind}", pack(plain), plain)])
    with FakeRegistry() as registry:
        base.put(registry)
        with pytest.raises(ImageError, match="unpacks to more than"):
            look(registry, tmp_path)


def test_a_file_of_a_gigabyte_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 1 << 30
    header = tar_member("usr/lib/large.so")[0]
    header.size = size
    packer, whole, packed = zlib.compressobj(1, wbits=31), hashlib.sha256(), []
    for piece in [header.tobuf(tarfile.GNU_FORMAT), *[bytes(1 << 22)] * (size >> 22), bytes(1024)]:
        whole.update(piece)
        packed.append(packer.compress(piece))
    packed.append(packer.flush())
    base = BaseImage([(GZIP, b"".join(packed), b"")])
    diff_ids: dict[str, object] = {"rootfs": {"diff_ids": [f"sha256:{whole.hexdigest()}"]}}
    with FakeRegistry() as registry:
        replace(base, config=diff_ids).put(registry)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _, _, rootfs = look(registry, tmp_path)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "usr/lib/large.so" in rootfs.files
    assert (after - before) << 10 < size // 8


def test_a_header_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    header = tar_member("x", type=b"x")[0]
    header.size = 1 << 33
    plain = header.tobuf(tarfile.GNU_FORMAT)
    with FakeRegistry() as registry:
        of_archives(plain).put(registry)
        with pytest.raises(ImageError, match="has a file of 8589934592 bytes"):
            look(registry, tmp_path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with FakeRegistry() as registry, pytest.raises(RegistryError, match="is not there"):
        look(registry, tmp_path)


def test_the_platform_is_chosen_as_runtimes_do(tmp_path: Path) -> None:
    with FakeRegistry() as registry:
        good = GOOD.put(registry)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        size = len(registry.repositories["team/base"].manifests[good].data)
        platforms = [
            {"os": "unknown", "architecture": "unknown"},
            {"os": "linux", "architecture": "amd64", "variant": "v3"},
            {"os": "linux", "architecture": "amd64"},
        ]
        digests = [digest_of(b"1"), digest_of(b"2"), good]
        index = {
            "schemaVersion": 2,
            "manifests": [
                {"mediaType": kind, "digest": digest, "size": size, "platform": platform}
                for digest, platform in zip(digests, platforms, strict=True)
            ],
        }
        oci = "application/vnd.oci.image.index.v1+json"
        digest = registry.add_manifest("team/base", json.dumps(index).encode(), "1", oci)
        image, _, _ = look(registry, tmp_path)
    assert (image.index, image.manifest) == (digest, good)
