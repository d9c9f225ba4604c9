"""Small Debian packages and archives, made as a test needs them."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pysequoia import SignatureMode, Tsk, sign

from cogn.lockfiles import Deb
from cogn.store.debian import Package, Packages

MTIME = 1_700_000_000
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": partial(lzma.compress, preset=0),
    ".gz": partial(gzip.compress, mtime=0),
    "": bytes,
}
"""How indexes are compressed, by the ends of their names."""


def tar_member(
    name: str, data: bytes = b"", /, **attributes: object
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member for `make_deb`: a regular file, unless `attributes` say otherwise."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mtime = MTIME
    member.mode = 0o644
    for key, value in attributes.items():
        setattr(member, key, value)
    return member, data


def make_tar(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a plain tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def make_ar(members: Mapping[str, bytes]) -> bytes:
    """Return an ar archive."""
    parts = [b"!<arch>\n"]
    for name, data in members.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        parts.append(data + b"\n" * (len(data) % 2))
    return b"".join(parts)


def control(name: str, version: str, architecture: str, fields: Mapping[str, str]) -> str:
    """Return a control stanza."""
    known = {"Package": name, "Version": version, "Architecture": architecture}
    return "".join(f"{key}: {value}\n" for key, value in (known | dict(fields)).items())


def make_deb(
    directory: Path,
    name: str,
    members: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
    *,
    version: str = "1.0",
    architecture: str = "amd64",
    fields: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> tuple[Deb, Path]:
    """Write a package; return what a lock says about it, and its path."""
    stanza = control(name, version, architecture, fields or {})
    files = [tar_member("./control", stanza.encode())]
    files += [
        tar_member(f"./{script}", text.encode(), mode=0o755)
        for script, text in (scripts or {}).items()
    ]
    content = make_ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": lzma.compress(make_tar(files), preset=0),
            "data.tar.xz": lzma.compress(make_tar(members), preset=0),
        }
    )
    path = directory / f"{name}_{version}_{architecture}.deb"
    path.write_bytes(content)
    return locked(path, name, version, architecture), path


def locked(path: Path, name: str, version: str = "1.0", architecture: str = "amd64") -> Deb:
    """Return what a lock says about a package file."""
    content = path.read_bytes()
    return Deb(
        name=name,
        version=version,
        architecture=architecture,
        archive="debian",
        path=f"pool/{path.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def stanza(package: Package) -> str:
    """Return what dpkg's list says about a package that is installed."""
    fields = {
        "Package": package.name,
        "Status": "install ok installed",
        "Essential": "yes" if package.essential else "",
        "Priority": package.priority,
        "Section": "misc",
        "Maintainer": "Nobody <nobody@example.org>",
        "Architecture": package.architecture,
        "Multi-Arch": package.multi_arch,
        "Version": package.version,
        "Replaces": package.replaces,
        "Provides": package.provides,
        "Depends": package.depends,
        "Pre-Depends": package.pre_depends,
        "Recommends": package.recommends,
        "Breaks": package.breaks,
        "Conflicts": package.conflicts,
        "Description": package.name,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value)


def offered(*packages: Package) -> Packages:
    """Return the packages as an archive offers them."""
    stanzas = (
        f"{stanza(each)}Filename: {each.path}\nSHA256: {each.sha256}\nSize: {each.size}\n"
        for each in packages
    )
    return Packages(["\n".join(stanzas).encode()])


class FakeArchive:
    """A directory with an archive's files, signed with a key of its own."""

    def __init__(self, root: Path, key: Tsk) -> None:
        self.root = root
        self._key = key
        (root / "pool").mkdir(parents=True, exist_ok=True)

    def add(self, name: str, *, version: str = "1.0", **fields: str) -> str:
        """Put a package into the pool; return its stanza for `publish`."""
        architecture = fields.pop("Architecture", "amd64")
        spelt = {key.replace("_", "-"): value for key, value in fields.items()}
        deb, _ = make_deb(
            self.root / "pool", name, version=version, architecture=architecture, fields=spelt
        )
        placed = {"Filename": deb.path, "Size": str(deb.size), "SHA256": deb.sha256}
        return control(name, version, architecture, spelt | placed)

    def publish(
        self,
        suite: str,
        stanzas: Sequence[str],
        *,
        date: datetime | None = None,
        valid_for: timedelta | None = None,
        architecture: str = "amd64",
        fields: Mapping[str, str] | None = None,
        kind: str = ".xz",
        components: Sequence[str] = ("main",),
    ) -> bytes:
        """Write the index and the signed InRelease file of a suite; return the latter.

        The packages are those of the first component.
        """
        date = date or datetime.now(UTC)
        directory = self.root / "dists" / suite
        lines = []
        for component in components:
            text = "\n".join(stanzas) if component == components[0] else ""
            index = COMPRESSIONS[kind](text.encode())
            path = f"{component}/binary-{architecture}/Packages{kind}"
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(index)
            lines.append(f"\n {hashlib.sha256(index).hexdigest()} {len(index)} {path}")
        release = {
            "Origin": "Test",
            "Suite": suite,
            "Codename": suite,
            "Date": _date(date),
            "Architectures": architecture,
            "Components": " ".join(components),
            "SHA256": "".join(lines),
        }
        if valid_for is not None:
            release["Valid-Until"] = _date(date + valid_for)
        text = "".join(f"{key}: {value}\n" for key, value in (release | dict(fields or {})).items())
        signed = sign(self._key.signer(), text.encode(), mode=SignatureMode.CLEAR)
        (directory / "InRelease").write_bytes(signed)
        return signed


@contextmanager
def serving(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a directory over HTTP; give its URL and the list of the request lines so far."""
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            requests.append(f"{self.command} {self.path}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S UTC")
