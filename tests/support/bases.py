"""Base images for tests: of a few bytes, or a real Debian with dpkg, put into the fake registry."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from cogn.layers.debian.fixup import fixup_entries
from cogn.layers.debian.listing import listings
from cogn.layers.debian.unpack import unpacked_debs
from cogn.layers.entry import Bytes, Entry
from cogn.layers.facts import debian_facts
from cogn.lockfiles import Archive, Deb, Environment
from cogn.resolver.debian import Universe
from cogn.resolver.solver import closure
from cogn.store import Cache
from cogn.store.debian import Mirrors, Suite, fetch_debs, open_suite
from cogn.store.http import Fetcher
from support.debian import make_tar, tar_member
from support.layers import write_layer
from support.registry import FakeRegistry, digest_of

_DOCKER = "application/vnd.docker"
_MANIFEST = f"{_DOCKER}.distribution.manifest.v2+json"
GZIP = f"{_DOCKER}.image.rootfs.diff.tar.gzip"
PLAIN = f"{_DOCKER}.image.rootfs.diff.tar"
ENVIRONMENT = ("PATH=/opt/team/bin:/usr/local/bin:/usr/bin:/bin", "TEAM=blue", "LANG=C")
LABELS = {"com.example.team": "blue", "run.cog.version": "not ours"}
NETWORKS = b"team 10.0.0.0\n"
"""Of a file that installing a package would write, if it were not there."""

LACKING = frozenset(
    ("ca-certificates", "netbase", "openssl", "openssl-provider-legacy", "tini", "libgomp1")
)
"""What the real base does without of the packages that cogn's own has."""


@dataclass(frozen=True)
class BaseImage:
    """An image of one platform in Docker's format, with an index; fields can be made to lie."""

    layers: Sequence[tuple[str, bytes, bytes]]
    """Type, blob and archive of each."""
    architecture: str = "amd64"
    config: dict[str, object] = field(default_factory=dict)
    manifest: dict[str, object] = field(default_factory=dict)

    @property
    def documents(self) -> tuple[bytes, bytes]:
        """The image's configuration and its manifest."""
        config = {
            "os": "linux",
            "architecture": self.architecture,
            "config": {"Env": list(ENVIRONMENT), "Labels": LABELS, "User": "nobody"},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(a) for _, _, a in self.layers]},
        }
        data = json.dumps(config | self.config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(f"{_DOCKER}.container.image.v1+json", data),
            "layers": [_descriptor(kind, blob) for kind, blob, _ in self.layers],
        }
        return data, json.dumps(manifest | self.manifest).encode()

    def put(self, registry: FakeRegistry, name: str = "team/base", tag: str = "1") -> str:
        """Store the image; return the digest of its manifest."""
        config, manifest = self.documents
        for blob in (*(blob for _, blob, _ in self.layers), config):
            registry.add_blob(name, blob)
        digest = registry.add_manifest(name, manifest, media_type=_MANIFEST)
        platform = {"os": "linux", "architecture": self.architecture}
        index = {
            "schemaVersion": 2,
            "mediaType": f"{_DOCKER}.distribution.manifest.list.v2+json",
            "manifests": [
                _descriptor(_MANIFEST, b"?")
                | {"platform": {"os": "windows", "architecture": "amd64"}},
                _descriptor(_MANIFEST, manifest) | {"platform": platform},
            ],
        }
        registry.add_manifest(name, json.dumps(index).encode(), tag, str(index["mediaType"]))
        return digest


def small_base(*layers: dict[str, bytes], release: str = "trixie") -> BaseImage:
    """Return an image whose layers have these files; the lowest is a Debian without packages."""
    system = {
        "usr/lib/os-release": f"ID=debian\nVERSION_CODENAME={release}\n".encode(),
        "var/lib/dpkg/status": _stanza("libc6", "2.41-1"),
    }
    archives = [make_tar([tar_member(*each) for each in (system | layers[0]).items()])]
    archives += [make_tar([tar_member(*each) for each in files.items()]) for files in layers[1:]]
    return BaseImage([(GZIP, gzip.compress(each), each) for each in archives])


def _stanza(name: str, version: str) -> bytes:
    fields = {"Package": name, "Status": "install ok installed", "Version": version}
    fields |= {"Architecture": "amd64"}
    return "".join(f"{key}: {value}\n" for key, value in fields.items()).encode()


def real_base(environment: Environment) -> BaseImage:
    """Return a Debian of the packages that the environment has, but `LACKING`, and dpkg."""
    own = [deb for deb in environment.base.debs if deb.name not in LACKING]
    debs, files = anyio.run(_with_dpkg, own)
    facts = debian_facts("trixie", "amd64")
    pairs = list(zip(debs, files, strict=True))
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        with unpacked_debs(pairs, facts, scratch) as entries:
            packages = write_layer(entries, facts)
        found = listings(pairs, Cache(scratch / "cache"), scratch)
        made = fixup_entries(pairs, facts, scratch, architecture="amd64", listings=found)
        fixed = {entry.path: entry for entry in made}
        fixed["etc/networks"] = Entry.file("etc/networks", Bytes(NETWORKS))
        system = write_layer(fixed.values(), facts)
    return BaseImage([(GZIP, packages.blob, packages.tar), (PLAIN, system.tar, system.tar)])


async def _with_dpkg(own: Sequence[Deb]) -> tuple[list[Deb], list[Path]]:
    mirrors = Mirrors.find()
    suites = (Suite("debian", "trixie"), Suite("debian-security", "trixie-security"))
    async with Fetcher.open(Cache()) as fetcher:
        opened = [await open_suite(each, fetcher=fetcher, mirrors=mirrors) for each in suites]
        packages = [(each.suite.archive, await each.packages("amd64")) for each in opened]
        universe = Universe(packages)
        debs = [each.deb() for each in closure(("dpkg", *(deb.name for deb in own)), universe)]
        archives = [
            Archive(
                name=each.suite.archive,
                suite=each.suite.name,
                components=each.suite.components,
                snapshot=each.release.snapshot,
                release=each.release.sha256,
            )
            for each in opened
        ]
        return debs, list(await fetch_debs(debs, archives, fetcher=fetcher, mirrors=mirrors))


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
