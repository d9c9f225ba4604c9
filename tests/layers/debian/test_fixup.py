"""What stands in for maintainer scripts."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from cogn.layers.content import read_all
from cogn.layers.debian.fixup import fixup_entries
from cogn.layers.debian.listing import listings
from cogn.layers.debian.loader_cache import read_cache
from cogn.layers.debian.scripts.errors import ScriptError
from cogn.layers.debian.unpack import unpacked_debs
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import DebError
from cogn.layers.facts import debian_facts, image_facts
from cogn.lockfiles import Deb
from cogn.report import Reporter
from cogn.resolver.composition import SystemRequest
from cogn.resolver.system import lock_system
from cogn.resolver.wanted import WantedPackage
from cogn.store import Cache
from cogn.store.debian import Mirrors, fetch_debs
from cogn.store.http import Fetcher
from cogn.store.images import Metadata, Rootfs
from support.containers import podman, run_in
from support.debian import make_deb, tar_member
from support.layers import write_layer

FACTS = debian_facts("trixie", "amd64")
POSTINST = "#!/bin/sh\nset -e\n"

Debs = Sequence[tuple[Deb, Path]]


def fix(*debs: tuple[Deb, Path], base: Rootfs | None = None) -> dict[str, Entry]:
    """Return the entries by their paths, each of which must be there once."""
    scratch = debs[0][1].parent
    found = listings(debs, Cache(scratch / "cache"), scratch)
    facts = FACTS if base is None else image_facts(base)
    entries = fixup_entries(debs, facts, scratch, base, architecture="amd64", listings=found)
    by_path = {entry.path: entry for entry in entries}
    assert len(by_path) == len(entries)
    return by_path


def text(entries: Mapping[str, Entry], path: str) -> str:
    return read_all(entries[path].content).decode()


def links(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {path: entry.target for path, entry in entries.items() if entry.kind is Kind.SYMLINK}


def script(name: str, postinst: str, directory: Path, *files: str) -> tuple[Deb, Path]:
    members = [tar_member(f"./{path}", b"x", mode=0o755) for path in files]
    return make_deb(directory, name, members, scripts={"postinst": POSTINST + postinst})


def base_of(**contents: bytes) -> Rootfs:
    files = {path.replace("__", "/"): data for path, data in contents.items()}
    directories = {above for path in files for above in map(str, Path(path).parents)} - {"."}
    return Rootfs(
        directories=dict.fromkeys(sorted(directories), Metadata()),
        links={},
        files=frozenset(files),
        contents=files,
    )


def test_the_status_says_what_is_installed(tmp_path: Path) -> None:
    first = make_deb(tmp_path, "b", fields={"Description": "second\n of two"})
    second = make_deb(
        tmp_path,
        "a",
        [tar_member("./etc/a.conf", b"content")],
        scripts={"conffiles": "/etc/a.conf\nremove-on-upgrade /etc/old\n"},
    )
    entries = fix(first, second)
    assert text(entries, "var/lib/dpkg/status") == (
        "Package: a\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n"
        "Conffiles:\n /etc/a.conf 9a0364b9e99bb480dd25e1f0284c8555\n"
        " /etc/old newconffile remove-on-upgrade\n"
        "\n"
        "Package: b\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n"
        "Description: second\n of two\n"
        "\n"
    )
    assert text(entries, "var/lib/dpkg/info/format") == "1\n"


def test_a_script_that_nobody_looked_at_is_an_error_that_shows_it(tmp_path: Path) -> None:
    deb = script("surprise", "surprising-program\n", tmp_path, "usr/bin/surprising-program")
    with pytest.raises(ScriptError, match=r"the postinst script of `surprise 1\.0`") as error:
        fix(deb)
    assert "it runs `surprising-program`" in str(error.value)
    assert error.value.hint is not None
    assert "surprising-program\n" in error.value.hint


def test_the_result_depends_on_the_packages_alone(tmp_path: Path) -> None:
    debs = [script(name, f"echo {name} >> /etc/names\n", tmp_path, f"etc/{name}") for name in "abc"]
    assert list(fix(*debs).items()) == list(fix(*reversed(debs)).items())
    assert text(fix(*debs), "etc/names") == "a\nb\nc\n"


def test_a_packaged_file_gets_another_owner_mode_or_capability(tmp_path: Path) -> None:
    commands = """
    addgroup --system agents; chgrp agents /usr/bin/agent; chmod 2755 /usr/bin/agent
    setcap cap_net_raw+ep /usr/bin/ping
    """
    entries = fix(script("x", commands, tmp_path, "usr/bin/agent", "usr/bin/ping"))
    agent, ping = entries["usr/bin/agent"], entries["usr/bin/ping"]
    assert agent.mode == 0o2755
    assert f"agents:*:{agent.gid}:" in text(entries, "etc/group").replace(":!:", ":*:")
    assert read_all(agent.content) == b"x"
    assert [name for name, _ in ping.xattrs] == ["security.capability"]


def test_an_alternative_becomes_links_and_a_record(tmp_path: Path) -> None:
    commands = """
    update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\
        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\
        --slave /usr/bin/nawk nawk /usr/bin/mawk || true
    """
    manual = "usr/share/man/man1/mawk.1.gz"  # which images leave out
    entries = fix(script("mawk", commands, tmp_path, "usr/bin/mawk", manual))
    assert links(entries) == {
        "etc/alternatives/awk": "/usr/bin/mawk",
        "etc/alternatives/nawk": "/usr/bin/mawk",
        "usr/bin/awk": "/etc/alternatives/awk",
        "usr/bin/nawk": "/etc/alternatives/nawk",
    }
    assert text(entries, "var/lib/dpkg/alternatives/awk").startswith("auto\n/usr/bin/awk\n")


@pytest.mark.parametrize("arguments", ["/usr/bin/x x /y high", "/usr/bin/x ../x /y 10"])
def test_an_alternative_that_cannot_be_read_is_an_error(tmp_path: Path, arguments: str) -> None:
    with pytest.raises(DebError, match="registers an alternative that cogn cannot read"):
        fix(script("x", f"update-alternatives --install {arguments}\n", tmp_path))


def test_certificates_are_bundled_as_they_are_enabled(tmp_path: Path) -> None:
    commands = """
    printf '%s\\n' mozilla/b.crt '!mozilla/c.crt' mozilla/a.crt > /etc/ca-certificates.conf
    update-ca-certificates
    """
    names = (f"usr/share/ca-certificates/mozilla/{name}.crt" for name in "abc")
    entries = fix(script("ca-certificates", commands, tmp_path, *names, "etc/ssl/certs/x"))
    assert text(entries, "etc/ssl/certs/ca-certificates.crt") == "x\nx\n"
    assert links(entries) == {
        f"etc/ssl/certs/{name}.pem": f"/usr/share/ca-certificates/mozilla/{name}.crt"
        for name in "ab"
    }


def test_the_loader_finds_the_libraries_of_packages(tmp_path: Path) -> None:
    path = "usr/lib/x86_64-linux-gnu/libm.so.6"
    members = [tar_member(f"./{path}", Path(f"/{path}").read_bytes())]
    deb = make_deb(tmp_path, "libc-bin", members, scripts={"postinst": POSTINST + "ldconfig\n"})
    cache = read_cache(read_all(fix(deb)["etc/ld.so.cache"].content))
    assert [entry.path for entry in cache.entries] == ["/lib/x86_64-linux-gnu/libm.so.6"]
    assert cache.generator == "ldconfig (Debian GLIBC 1.0) stable release version 1.0"


def test_who_waits_for_a_trigger_is_on_dpkgs_list(tmp_path: Path) -> None:
    triggers = "# a comment\ninterest-noawait /usr/share/fonts\ninterest named\nactivate other\n"
    deb = make_deb(tmp_path, "x", fields={"Multi-Arch": "same"}, scripts={"triggers": triggers})
    entries = fix(deb)
    assert text(entries, "var/lib/dpkg/triggers/File") == "/usr/share/fonts x:amd64/noawait\n"
    assert text(entries, "var/lib/dpkg/triggers/named") == "x:amd64\n"
    assert "var/lib/dpkg/triggers/other" not in entries


def test_python_has_its_plain_names(tmp_path: Path) -> None:
    assert links(fix(make_deb(tmp_path, "python3.13-minimal"))) == {
        "usr/local/bin/python": "/usr/bin/python3.13",
        "usr/local/bin/python3": "/usr/bin/python3.13",
    }


def test_what_a_base_has_is_continued(tmp_path: Path) -> None:
    base = base_of(
        etc__passwd=b"root:x:0:0:root:/root:/bin/bash\nown:x:700:700::/:/bin/sh\n",
        etc__group=b"root:x:0:\nown:x:700:\n",
        etc__shells=b"/bin/own\n",
        etc__there=b"",
        var__lib__dpkg__status=b"Package: own\nStatus: install ok installed\nVersion: 1\n",
    )
    commands = """
    adduser --system --group new
    [ -e /etc/there ] || echo other > /etc/there
    add-shell /usr/bin/new
    """
    entries = fix(script("x", commands, tmp_path), base=base)
    assert text(entries, "etc/passwd").startswith(base.text("etc/passwd") + "new:")
    assert text(entries, "etc/shells") == "/bin/own\n/usr/bin/new\n"
    assert text(entries, "var/lib/dpkg/status").startswith("Package: own\n")
    assert "etc/there" not in entries


def test_a_base_whose_files_are_not_known_is_not_guessed_at(tmp_path: Path) -> None:
    base = base_of(etc__own=b"")
    base = Rootfs(directories=base.directories, links={}, files=base.files, contents={})
    with pytest.raises(ScriptError, match="it needs the content of `/etc/own`"):
        fix(script("x", "grep -q yes /etc/own\n", tmp_path), base=base)


PACKAGES = ("openssh-client", "fontconfig", "imagemagick", "sudo", "libopenblas0-pthread")


def real(tmp_path: Path, suite: str, python: str, *packages: str) -> tuple[Debs, Debs]:
    """Return the packages of a real base, and those of an interpreter and others upon it."""

    async def fetch() -> tuple[Debs, Debs]:
        mirrors = Mirrors.find()
        async with Fetcher.open(Cache()) as fetcher:
            system = await lock_system(
                SystemRequest(
                    python_version=python,
                    suite=suite,
                    packages=tuple(WantedPackage(name) for name in packages),
                ),
                platform="linux/amd64",
                previous=None,
                upgrade=False,
                fetcher=fetcher,
                mirrors=mirrors,
                reporter=Reporter(),
            )
            archives = system.base.archives
            files = await fetch_debs(system.debs, archives, fetcher=fetcher, mirrors=mirrors)
        pairs = list(zip(system.debs, files, strict=True))
        return pairs[: len(system.base.debs)], pairs[len(system.base.debs) :]

    return anyio.run(fetch)


@pytest.mark.network
@pytest.mark.parametrize(("suite", "python"), [("trixie", "3.13"), ("bookworm", "3.11")])
def test_every_script_of_real_packages_is_known(suite: str, python: str, tmp_path: Path) -> None:
    base, others = real(tmp_path, suite, python, *PACKAGES)
    debs, facts = [*base, *others], debian_facts(suite, "amd64")
    found = listings(debs, Cache(tmp_path), tmp_path)
    made = fixup_entries(debs, facts, tmp_path, architecture="amd64", listings=found)
    entries = {entry.path: entry for entry in made}
    assert len(entries) == len(made)
    assert {"etc/nsswitch.conf", "usr/bin/awk", "usr/bin/convert"} <= entries.keys()
    assert entries["usr/bin/ssh-agent"].mode == 0o2755
    cache = tmp_path / "ld.so.cache"
    cache.write_bytes(read_all(entries["etc/ld.so.cache"].content))
    listed = subprocess.run(
        ["/sbin/ldconfig", "-p", "-C", cache], capture_output=True, text=True, check=True
    ).stdout
    blas = "/lib/x86_64-linux-gnu/libblas.so.3"
    assert f"libblas.so.3 (libc6,x86-64) => {blas}\n" in listed
    assert "openblas" in entries["etc/alternatives/libblas.so.3-x86_64-linux-gnu"].target


CHECKS = """
import bz2, ctypes, curses, decimal, hashlib, lzma, readline, sqlite3, ssl, time, uuid, zoneinfo
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert time.localtime(0).tm_zone == "UTC"
zoneinfo.ZoneInfo("Europe/Paris")
for library in ("libgomp.so.1", "libstdc++.so.6"):
    ctypes.CDLL(library)
print("ok")
"""

TOUR = """
set -e
id -un; id -un nobody; awk 'BEGIN { print "awk" }'; which which; stat -c %a /tmp /root /run/lock
readlink /bin /var/run; bash -lc 'echo bash'; tini -- python -c 'print("tini")'
"""


@pytest.mark.network
@pytest.mark.podman
def test_the_real_base_runs(tmp_path: Path) -> None:
    base, python = real(tmp_path, "trixie", "3.13")
    debs = [*base, *python]
    found = listings(debs, Cache(tmp_path), tmp_path)
    with unpacked_debs(debs, FACTS, tmp_path) as entries:
        fixed = fixup_entries(debs, FACTS, tmp_path, architecture="amd64", listings=found)
        layer = write_layer([*entries, *fixed], FACTS)
    tar = tmp_path / "root.tar"
    tar.write_bytes(layer.tar)
    image = f"cogn-test-{uuid4().hex[:12]}"
    podman("import", "--quiet", str(tar), image)
    try:
        assert run_in(image, "python3", "-c", CHECKS) == "ok\n"
        assert run_in(image, "sh", "-c", TOUR).split() == [
            *("root", "nobody", "awk", "/usr/bin/which", "1777", "700", "1777"),
            *("usr/bin", "/run", "bash", "tini"),
        ]
    finally:
        podman("rmi", "--force", image)
