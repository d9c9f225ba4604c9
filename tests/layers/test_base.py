"""Layers on an image: what of it stays, what it must be like, and how its blobs travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from cogn.layers.base import BaseImages, base_layers
from cogn.layers.below import check_base
from cogn.layers.build import Builder
from cogn.layers.content import read_all
from cogn.layers.destination import LayerBlob
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import LayerError, StaleLockError
from cogn.layers.facts import debian_facts
from cogn.layers.fixup import fixup_entries
from cogn.layers.places import Places
from cogn.layers.registry import RegistryDestination
from cogn.lockfiles import BaseLayer, ImageBase
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.images import Metadata, Rootfs
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from support.bases import small_base
from support.debian import make_deb, tar_member
from support.images import _Nothing
from support.locks import HEX
from support.registry import CutResponse, Endpoint, FakeRegistry, Fault, digest_of, first

FACTS = debian_facts("amd64")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "sbin": "usr/sbin", "lib64": "usr/lib64"}


def rootfs(
    *files: str,
    links: Mapping[str, str] = LINKS,
    directories: Mapping[str, Metadata] | None = None,
    status: str = "",
) -> Rootfs:
    return Rootfs(
        directories=dict(directories or {}),
        links=dict(links),
        files=frozenset(files),
        texts={"var/lib/dpkg/status": status},
    )


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (rootfs(links={**LINKS, "lib": "usr/lib32"}), "the link `lib` to `usr/lib`"),
        (rootfs(links={}), "the link `bin` to `usr/bin`"),
        (rootfs(links=LINKS | {"var/run": "/srv"}), "its `var/run` is no link to `run`"),
        (rootfs("var/lock"), "its `var/lock` is no link to `run/lock`"),
        (rootfs("usr/bin/tini"), "a `usr/bin/tini` that a package would take"),
        (rootfs("usr/bin"), "its `usr/bin` is no directory"),
        (rootfs(links=LINKS | {"opt/cogn": "/data"}), "its `opt/cogn` is no directory"),
        (
            rootfs(directories={"usr/bin": Metadata(0o2755, 0, 50)}),
            "its directory `usr/bin` has mode 2755 and owner 0:50, not 755 and 0:0",
        ),
    ],
)
def test_an_image_that_layers_would_damage_is_refused(base: Rootfs, message: str) -> None:
    entries = [Entry.file("bin/tini", Bytes(b"")), Entry.directory("opt/cogn/site")]
    with pytest.raises(LayerError, match=message):
        check_base(base, entries, FACTS)


def test_links_may_be_relative_and_records_of_removed_packages_are_written_over() -> None:
    links = LINKS | {"bin": "./usr/bin", "var/run": "../run", "var/lock": "/run/lock"}
    base = rootfs("var/lib/dpkg/info/tini.list", links=links)
    check_base(base, [Entry.file("var/lib/dpkg/info/tini.list", Bytes(b""))], FACTS)


def test_what_the_base_has_stays_and_its_list_of_packages_goes_on(tmp_path: Path) -> None:
    certificate = tar_member("./usr/share/ca-certificates/a.crt", b"A\n")
    debs = [make_deb(tmp_path, "ca-certificates", [certificate]), make_deb(tmp_path, "gone")]
    status = (
        "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 0\n"
    )
    base = rootfs("etc/ssl/certs/ca-certificates.crt", "etc/shells", status=status)
    entries = {entry.path: entry for entry in fixup_entries(debs, FACTS, tmp_path, base)}
    assert "etc/ca-certificates.conf" in entries
    assert not entries.keys() & {"etc/ssl/certs/ca-certificates.crt", "etc/shells"}
    assert read_all(entries["var/lib/dpkg/status"].content).decode() == (
        "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
        "Package: ca-certificates\nStatus: install ok installed\nVersion: 1.0\n"
        "Architecture: amd64\n\n"
        "Package: gone\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n"
    )


def image_base(registry: FakeRegistry, *files: dict[str, bytes]) -> ImageBase:
    """Put an image into the registry; return what a lock says about it."""
    base = small_base(*files)
    return ImageBase(
        reference=f"{registry.host}/team/base:1",
        manifest=base.put(registry),
        rootfs=f"sha256:{HEX}",
        release="trixie",
        reason="",
        environment=(),
        layers=tuple(
            BaseLayer(
                digest=digest_of(blob),
                diff_id=digest_of(archive),
                size=len(blob),
                media_type="application/vnd.oci.image.layer.v1.tar+gzip",
            )
            for _, blob, archive in base.layers
        ),
        archives=(),
        debs=(),
        interpreter=(),
    )


def test_a_stream_that_breaks_on_the_way_from_registry_to_registry_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cogn.store.retry._FIRST_WAIT", 0.001)
    cuts = [
        Fault(CutResponse(after=after, of_body=True), on=Endpoint.BLOB_GET, times=first(1))
        for after in (0, 70)
    ]
    with FakeRegistry(faults=cuts) as source, FakeRegistry() as target:
        base = image_base(source, {"a": bytes(range(256)) * 9000})

        async def run() -> None:
            cache = Cache(tmp_path)
            configuration = RegistryConfiguration({}, {})
            async with Registries.open(configuration, Reporter()) as registries:
                bases = BaseImages([base], registries, cache, Reporter())
                repository = await registries.push_target(Reference.parse(f"{target.host}/x:1"))
                destination = RegistryDestination(repository, places=Places(cache))
                for name, layer in base_layers(base):
                    blob = bases.blob(name, layer)
                    assert blob is not None
                    await destination.put_layer(blob)

        anyio.run(run)
        assert target.repositories["x"].blobs.keys() == {layer.digest for layer in base.layers}
    assert not list((tmp_path).rglob("sha256"))


def test_a_cached_layer_of_a_base_is_still_known_to_be_in_its_registry(tmp_path: Path) -> None:
    with FakeRegistry() as source:
        base = image_base(source, {"a": b"1"})

        async def run() -> tuple[LayerBlob | None, LayerBlob | None]:
            cache = Cache(tmp_path)
            configuration = RegistryConfiguration({}, {})
            async with Registries.open(configuration, Reporter()) as registries:
                bases = BaseImages([base], registries, cache, Reporter())
                builder = Builder(
                    (), inputs=_Nothing(), cache=cache, reporter=Reporter(), bases=bases
                )
                ((name, layer),) = base_layers(base)
                far = builder.cached(name, layer)
                assert far is not None
                await far.file()
                near = builder.cached(name, layer)
                assert builder.cached(name, replace(layer, digest=f"sha256:{HEX}")) is None
                with pytest.raises(StaleLockError, match="was read as sha256:"):
                    await bases.rootfs([base])
                return far, near

        far, near = anyio.run(run)
    assert far is not None
    assert near is not None
    assert near.sources == far.sources == ((source.host, "team/base"),)
    assert near.open is not far.open
