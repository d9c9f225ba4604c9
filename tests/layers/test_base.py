"""Images as bases: what of one stays in the layer above, and how its blobs travel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from cogn.layers.base import BaseImages, base_layers
from cogn.layers.build import Builder
from cogn.layers.content import read_all
from cogn.layers.debian.fixup import fixup_entries
from cogn.layers.debian.listing import listings
from cogn.layers.destination import LayerBlob
from cogn.layers.errors import StaleLockError
from cogn.layers.facts import debian_facts
from cogn.layers.registry import RegistryDestination
from cogn.lockfiles import BaseLayer, ImageBase
from cogn.report import Reporter
from cogn.store import Cache
from cogn.store.images import Rootfs
from cogn.store.places import Places
from cogn.store.registry import Reference, Registries, RegistryConfiguration
from cogn.store.vendor import VENDOR_MARK, VendorDirectory
from support.bases import small_base
from support.debian import make_deb, tar_member
from support.images import _Nothing
from support.locks import HEX
from support.registry import CutResponse, Endpoint, FakeRegistry, Fault, digest_of, first

FACTS = debian_facts("trixie", "amd64")


def test_what_the_base_has_stays_and_its_list_of_packages_goes_on(tmp_path: Path) -> None:
    script = "#!/bin/sh\nset -e\nfor name in made there; do\n"
    script += "[ -e /etc/$name ] || ln -s x /etc/$name\ndone\n"
    debs = [
        make_deb(tmp_path, "added", [tar_member("./etc/x", b"")], scripts={"postinst": script}),
        make_deb(tmp_path, "gone"),
    ]
    status = (
        "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 0\n"
    )
    base = Rootfs(
        directories={},
        links={},
        files=frozenset(("etc/there", "etc/shells")),
        contents={"var/lib/dpkg/status": status.encode()},
    )
    found = listings(debs, Cache(tmp_path / "cache"), tmp_path)
    made = fixup_entries(debs, FACTS, tmp_path, base, architecture="amd64", listings=found)
    entries = {entry.path: entry for entry in made}
    assert "etc/made" in entries
    assert not entries.keys() & {"etc/there", "etc/shells"}
    assert read_all(entries["var/lib/dpkg/status"].content).decode() == (
        "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
        "Package: added\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n\n"
        "Package: gone\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n\n"
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


def test_a_directory_that_has_the_layers_spares_asking_their_registry(tmp_path: Path) -> None:
    with FakeRegistry() as source, FakeRegistry() as target:
        base = image_base(source, {"a": b"1"})
        (locked,) = base.layers
        blob = source.repositories["team/base"].blobs[locked.digest]
        (tmp_path / "vendor").mkdir()
        (tmp_path / "vendor/layer").write_bytes(blob)
        (tmp_path / "vendor" / VENDOR_MARK).write_text('{"format":1}')

        async def run() -> None:
            cache = Cache(tmp_path / "cache")
            async with Registries.open(RegistryConfiguration({}, {}), Reporter()) as registries:
                paths = {locked.digest.removeprefix("sha256:"): "layer"}
                vendor = VendorDirectory.opened(tmp_path / "vendor", paths, Reporter())
                bases = BaseImages([base], registries, cache, Reporter(), vendor)
                repository = await registries.push_target(Reference.parse(f"{target.host}/x:1"))
                destination = RegistryDestination(repository, places=Places(cache))
                ((name, layer),) = base_layers(base)
                blob = bases.blob(name, layer)
                assert blob is not None
                await destination.put_layer(blob)

        anyio.run(run)
        assert target.repositories["x"].blobs.keys() == {locked.digest}
        assert source.requests == []
