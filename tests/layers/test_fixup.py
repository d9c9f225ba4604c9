"""What stands in for maintainer scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from cogn.layers.content import read_all
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import DebError
from cogn.layers.facts import debian_facts
from cogn.layers.fixup import fixup_entries
from cogn.layers.unpack import unpacked_debs
from cogn.lockfiles import Deb
from cogn.report import Reporter
from cogn.resolver.base import lock_system
from cogn.store import Cache
from cogn.store.debian import Mirrors, fetch_debs
from cogn.store.http import Fetcher
from support.containers import podman, run_in
from support.debian import make_deb, tar_member
from support.layers import write_layer

FACTS = debian_facts("amd64")


def fix(*debs: tuple[Deb, Path]) -> dict[str, Entry]:
    return {entry.path: entry for entry in fixup_entries(debs, FACTS, debs[0][1].parent)}


def text(entries: Mapping[str, Entry], path: str) -> str:
    return read_all(entries[path].content).decode()


def links(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {path: entry.target for path, entry in entries.items() if entry.kind is Kind.SYMLINK}


def script(name: str, postinst: str, directory: Path) -> tuple[Deb, Path]:
    return make_deb(directory, name, scripts={"postinst": postinst})


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
        "\n"
        "Package: b\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n"
        "Description: second\n of two\n"
    )
    assert text(entries, "var/lib/dpkg/info/format") == "1\n"


def test_a_script_that_nobody_looked_at_is_an_error_that_shows_it(tmp_path: Path) -> None:
    deb = script("surprise", "#!/bin/sh\nadduser surprise\n", tmp_path)
    with pytest.raises(DebError, match=r"`surprise 1\.0` has a postinst script") as error:
        fix(deb)
    assert error.value.hint is not None
    assert "adduser surprise" in error.value.hint


def test_the_result_depends_on_the_packages_alone(tmp_path: Path) -> None:
    debs = [make_deb(tmp_path, name) for name in "abc"]
    assert list(fix(*debs).items()) == list(fix(*reversed(debs)).items())


def test_accounts_are_those_of_the_master_files(tmp_path: Path) -> None:
    passwd = b"root:*:0:0:root:/root:/bin/bash\n"
    deb = make_deb(
        tmp_path,
        "base-passwd",
        [
            tar_member("./usr/share/base-passwd/passwd.master", passwd),
            tar_member("./usr/share/base-passwd/group.master", b"root:*:0:\n"),
        ],
    )
    entries = fix(deb)
    assert text(entries, "etc/passwd") == passwd.decode()
    assert text(entries, "etc/group") == "root:*:0:\n"


def test_a_package_without_the_file_that_its_script_copies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DebError, match=r"has no file `usr/share/libc-bin/nsswitch\.conf`"):
        fix(make_deb(tmp_path, "libc-bin"))


def test_the_bundle_holds_every_certificate_in_order(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path,
        "ca-certificates",
        [
            tar_member("./usr/share/ca-certificates/mozilla/b.crt", b"B"),
            tar_member("./usr/share/ca-certificates/mozilla/a.crt", b"A\n"),
            tar_member("./usr/share/ca-certificates/README", b"no certificate"),
        ],
    )
    entries = fix(deb)
    assert text(entries, "etc/ssl/certs/ca-certificates.crt") == "A\nB\n"
    configuration = text(entries, "etc/ca-certificates.conf").splitlines()
    assert [line for line in configuration if not line.startswith("#")] == [
        "mozilla/a.crt",
        "mozilla/b.crt",
    ]


def test_shells_are_listed_under_both_their_paths(tmp_path: Path) -> None:
    def shells(name: str, path: str, listed: bytes) -> tuple[Deb, Path]:
        sums = f"0  {path}\n"
        member = tar_member(f"./{path}", listed)
        return make_deb(tmp_path, name, [member], scripts={"md5sums": sums})

    template = b"# /etc/shells: valid login shells\n/bin/sh\n"
    entries = fix(
        shells("bash", "usr/share/debianutils/shells.d/bash", b"/bin/bash\n/usr/bin/bash\n"),
        shells("debianutils", "usr/share/debianutils/shells", template),
    )
    listed = "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n"
    assert text(entries, "etc/shells") == f"# /etc/shells: valid login shells\n{listed}"
    assert text(entries, "var/lib/shells.state") == listed


def test_python_has_its_plain_names(tmp_path: Path) -> None:
    assert links(fix(make_deb(tmp_path, "python3.13-minimal"))) == {
        "usr/local/bin/python": "/usr/bin/python3.13",
        "usr/local/bin/python3": "/usr/bin/python3.13",
    }


AWK = """\
#!/bin/sh
# update-alternatives --install in a comment
if [ "$1" = "configure" ]; then
    update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5 \\
        --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/mawk.1.gz \\
        --slave /usr/bin/nawk nawk /usr/bin/mawk || true
fi
"""


def test_an_alternative_becomes_links_and_a_record(tmp_path: Path) -> None:
    entries = fix(script("mawk", AWK, tmp_path))
    assert links(entries) == {
        "etc/alternatives/awk": "/usr/bin/mawk",
        "etc/alternatives/nawk": "/usr/bin/mawk",
        "usr/bin/awk": "/etc/alternatives/awk",
        "usr/bin/nawk": "/etc/alternatives/nawk",
    }
    assert text(entries, "var/lib/dpkg/alternatives/awk").splitlines() == [
        "auto",
        "/usr/bin/awk",
        "awk.1.gz",
        "/usr/share/man/man1/awk.1.gz",
        "nawk",
        "/usr/bin/nawk",
        "",
        "/usr/bin/mawk",
        "5",
        "/usr/share/man/man1/mawk.1.gz",
        "/usr/bin/mawk",
        "",
    ]


def test_the_highest_priority_wins(tmp_path: Path) -> None:
    other = "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\n"
    entries = fix(script("mawk", AWK, tmp_path), script("bash", other, tmp_path))
    assert links(entries)["etc/alternatives/awk"] == "/usr/bin/gawk"
    record = text(entries, "var/lib/dpkg/alternatives/awk")
    assert "\n/usr/bin/gawk\n10\n\n\n/usr/bin/mawk\n5\n" in record


def test_an_alternative_whose_file_stays_out_is_none(tmp_path: Path) -> None:
    manual = "update-alternatives --install /usr/share/man/x.gz x.gz /usr/share/man/y.gz 10\n"
    assert links(fix(script("bash", manual, tmp_path))) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        "/usr/bin/x x $path 10",
        "/usr/bin/x x /usr/bin/y",
        "/usr/bin/x x /y high",
        "/usr/bin/x ../x /y 10",
        "/usr/bin/x x '/y 10",
    ],
)
def test_an_alternative_that_cannot_be_read_is_an_error(tmp_path: Path, arguments: str) -> None:
    line = f"update-alternatives --install {arguments}\n"
    with pytest.raises(DebError, match="registers an alternative that cogn cannot read"):
        fix(script("bash", line, tmp_path))


Debs = Sequence[tuple[Deb, Path]]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> tuple[Debs, Debs]:
    """The real base and interpreter with their files."""

    async def fetch() -> tuple[Debs, Debs]:
        mirrors = Mirrors.find()
        async with Fetcher.open(Cache(tmp_path_factory.mktemp("cache"))) as fetcher:
            base, python = await lock_system(
                python_version="3.13",
                platform="linux/amd64",
                previous=None,
                upgrade=False,
                fetcher=fetcher,
                mirrors=mirrors,
                reporter=Reporter(),
            )
            debs = base.debs + python.debs
            files = await fetch_debs(debs, base.archives, fetcher=fetcher, mirrors=mirrors)
        pairs = list(zip(debs, files, strict=True))
        return pairs[: len(base.debs)], pairs[len(base.debs) :]

    return anyio.run(fetch)


@pytest.mark.network
def test_the_real_base_is_as_expected_and_every_script_is_known(
    system: tuple[Debs, Debs], tmp_path: Path
) -> None:
    base, python = system
    with unpacked_debs(base, FACTS, tmp_path) as entries:
        FACTS.verify(entries)
    entries = fixup_entries([*base, *python], FACTS, tmp_path)
    paths = [entry.path for entry in entries]
    assert len(paths) == len(set(paths))
    assert {"etc/passwd", "etc/nsswitch.conf", "usr/bin/awk", "usr/bin/which"} <= set(paths)


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
def test_the_real_base_runs(system: tuple[Debs, Debs], tmp_path: Path) -> None:
    base, python = system
    with unpacked_debs([*base, *python], FACTS, tmp_path) as entries:
        layer = write_layer([*entries, *fixup_entries([*base, *python], FACTS, tmp_path)], FACTS)
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
