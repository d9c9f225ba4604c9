"""What maintainer scripts would do to a new system, done without running them.

The table below holds the effect that each script of the base's and the interpreter's packages has
on an empty root. Nothing else may have a script: an effect that nobody looked at is an error.

Left out on purpose: ``/etc/hosts``, ``/etc/hostname`` and ``/etc/resolv.conf`` belong to the
container runtime; ``/etc/ld.so.cache`` only saves the loader a search; bytecode has its own layer;
and the links by hash in ``/etc/ssl/certs`` repeat the bundle that everything reads first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cogn.layers import dpkg
from cogn.layers.alternatives import alternatives
from cogn.layers.content import read_all
from cogn.layers.deb import DebFile
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.errors import DebError
from cogn.layers.facts import Facts
from cogn.layers.unpack import is_excluded, open_debs
from cogn.lockfiles import Deb
from cogn.store.images import Rootfs

__all__ = ["fixup_entries"]

_UTMP_GROUP = 43
_NETWORKS = b"default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n"
_CERTIFICATES = "usr/share/ca-certificates/"
_CERTIFICATES_HEAD = """\
# The certificates below /usr/share/ca-certificates that update-ca-certificates(8) puts into
# /etc/ssl/certs. A line that begins with ! names one to leave out.
"""
_SHELLS = "usr/share/debianutils/shells"


def fixup_entries(
    debs: Sequence[tuple[Deb, Path]], facts: Facts, scratch: Path, base: Rootfs | None = None
) -> list[Entry]:
    """Return the entries of the layer that completes an image made of `debs`, on `base` if given.

    They depend on nothing but these. What the base has stays, but for dpkg's list of packages,
    which is continued. Raises `DebError` for a package whose scripts have an effect that is not
    known.
    """
    with open_debs(debs, scratch) as packages:
        entries = [entry for package in packages for entry in _effects(package, facts)]
        entries += _shells(packages, facts)
        entries += alternatives(packages, lambda path: not is_excluded(path))
        entries += dpkg.status(packages, base.status if base else "")
    if base is not None:
        entries = [
            entry
            for entry in entries
            if entry.path == dpkg.STATUS or not base.has(facts.resolve(entry.path))
        ]
    return entries


def _effects(package: DebFile, facts: Facts) -> Iterable[Entry]:
    name = package.fields["Package"]
    if name in _RULES:
        return _RULES[name](package, facts)
    scripts = {"preinst", "postinst"} & package.files.keys()
    if scripts and name not in _WITHOUT_EFFECT:
        script = min(scripts)
        text = package.files[script].data.decode("utf-8", "replace")
        msg = f"`{package.name}` has a {script} script whose effect cogn does not know"
        raise DebError(msg, hint=f"the script:\n{text}")
    return ()


def _base_files(package: DebFile, facts: Facts) -> Iterator[Entry]:
    source = "usr/share/base-files"
    yield _copy(package, f"{source}/dot.bashrc", "root/.bashrc")
    yield _copy(package, f"{source}/dot.profile", "root/.profile")
    yield _copy(package, f"{source}/motd", "etc/motd")
    yield _copy(package, f"{source}/profile", "etc/profile")
    yield Entry.symlink("etc/dpkg/origins/default", "debian")
    for path in ("etc/opt", "media", "mnt", "opt", "run/lock", "srv", "var/mail", "var/opt"):
        yield facts.directory(path)
    yield Entry.symlink("var/spool/mail", "../mail")
    for path, target in facts.made_links.items():
        yield Entry.symlink(path, f"/{target}")
    for name in ("bin", "etc", "games", "include", "lib", "libexec", "sbin", "share/man", "src"):
        yield facts.directory(f"usr/local/{name}")
    yield Entry.symlink("usr/local/man", "share/man")
    for name, mode in (("btmp", 0o660), ("lastlog", 0o664), ("wtmp", 0o664)):
        yield Entry(path=f"var/log/{name}", kind=Kind.FILE, mode=mode, gid=_UTMP_GROUP)


def _base_passwd(package: DebFile, facts: Facts) -> Iterator[Entry]:
    yield _copy(package, "usr/share/base-passwd/group.master", "etc/group")
    yield _copy(package, "usr/share/base-passwd/passwd.master", "etc/passwd")
    yield Entry.file("etc/subgid", Bytes(b""))
    yield Entry.file("etc/subuid", Bytes(b""))


def _ca_certificates(package: DebFile, facts: Facts) -> Iterator[Entry]:
    certificates = sorted(
        (entry.path.removeprefix(_CERTIFICATES), read_all(entry.content))
        for entry in package.entries
        if entry.path.startswith(_CERTIFICATES) and entry.path.endswith(".crt")
    )
    names = "".join(f"{name}\n" for name, _ in certificates)
    bundle = b"".join(text.rstrip(b"\n") + b"\n" for _, text in certificates)
    yield Entry.file("etc/ca-certificates.conf", Bytes((_CERTIFICATES_HEAD + names).encode()))
    yield Entry.file("etc/ssl/certs/ca-certificates.crt", Bytes(bundle))
    yield facts.directory("usr/local/share/ca-certificates")


def _libc_bin(package: DebFile, facts: Facts) -> Iterator[Entry]:
    yield _copy(package, "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf")


def _netbase(package: DebFile, facts: Facts) -> Iterator[Entry]:
    yield Entry.file("etc/networks", Bytes(_NETWORKS))


def _readline_common(package: DebFile, facts: Facts) -> Iterator[Entry]:
    yield _copy(package, "usr/share/readline/inputrc", "etc/inputrc")


def _tzdata(package: DebFile, facts: Facts) -> Iterator[Entry]:
    yield Entry.symlink("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")


def _python_minimal(package: DebFile, facts: Facts) -> Iterator[Entry]:
    interpreter = package.fields["Package"].removesuffix("-minimal")
    yield facts.directory(f"usr/local/lib/{interpreter}/dist-packages")
    # Not an effect of a script: Debian leaves these names to the package python3.
    for name in ("python", "python3"):
        yield Entry.symlink(f"usr/local/bin/{name}", f"/usr/bin/{interpreter}")


_RULES: Mapping[str, Callable[[DebFile, Facts], Iterable[Entry]]] = {
    "base-files": _base_files,
    "base-passwd": _base_passwd,
    "ca-certificates": _ca_certificates,
    "libc-bin": _libc_bin,
    "netbase": _netbase,
    "python3.13-minimal": _python_minimal,
    "readline-common": _readline_common,
    "tzdata": _tzdata,
}
"""What the scripts of each package do."""

_WITHOUT_EFFECT = frozenset(
    {
        "bash",  # registers an alternative
        "dash",  # upgrades only: the package ships /bin/sh
        "debconf",  # fills its own database, which nothing here reads
        "debianutils",  # registers an alternative and keeps /etc/shells
        "gzip",  # upgrades only
        "libc6",  # upgrades only
        "libpython3.13-minimal",  # prints a comment
        "libreadline8t64",  # upgrades only
        "libselinux1",  # upgrades only
        "mawk",  # registers an alternative
        "openssl",  # makes a link that the package ships now
        "python3.13",  # compiles bytecode
        "tar",  # registers an alternative
    }
)
"""Packages whose scripts have no effect on a new root beyond alternatives and shells."""


def _shells(packages: Iterable[DebFile], facts: Facts) -> Iterator[Entry]:
    """Yield what update-shells(8) writes: the shells that packages name, under both their paths."""
    lists = sorted(
        (entry.path, read_all(entry.content).decode("utf-8", "replace"))
        for package in packages
        if _SHELLS.encode() in package.md5sums  # asked first, so that few packages are unpacked
        for entry in package.entries
        if entry.path.startswith(_SHELLS) and entry.kind is Kind.FILE
    )
    shells: dict[str, None] = {}
    for line in "".join(text for _, text in lists).splitlines():
        if line.startswith("/"):
            shells[line] = None
            shells[f"/{facts.resolve(line.removeprefix('/'))}"] = None
    text = "".join(f"{shell}\n" for shell in shells)
    yield Entry.file("etc/shells", Bytes(f"# /etc/shells: valid login shells\n{text}".encode()))
    yield Entry.file("var/lib/shells.state", Bytes(text.encode()))


def _copy(package: DebFile, source: str, target: str) -> Entry:
    """Return the packaged file `source` under another path."""
    file = package.file(source)
    return replace(file, path=target, content=Bytes(read_all(file.content)))
