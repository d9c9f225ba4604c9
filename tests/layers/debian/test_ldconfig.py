"""The loader's cache, against ldconfig itself."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from cogn.layers.debian.ldconfig import LibraryTree, Linked, ldconfig, search_directories
from cogn.layers.debian.libraries import Library, read_library
from cogn.layers.debian.loader_cache import (
    CacheEntry,
    LoaderCache,
    generator,
    merge_caches,
    read_cache,
    write_cache,
)
from cogn.layers.errors import LayerError

LDCONFIG = shutil.which("ldconfig", path="/usr/sbin:/sbin")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
TRIPLET = f"{platform.machine()}-linux-gnu"
MACHINE = {"amd64": 62, "arm64": 183}[ARCHITECTURE]
GENERATOR = "ldconfig of a test"


def elf(
    soname: str | None, *, machine: int = MACHINE, wide: bool = True, isa_level: int = 0
) -> bytes:
    """Return a shared object with nothing but what ldconfig reads."""
    strings = b"\0" + (soname or "").encode() + b"\0"
    note = struct.pack("<III4sII", 4, 16, 5, b"GNU\0", 0xC0008002, 4)
    note += struct.pack("<II", (1 << isa_level + 1) - 1, 0)
    word = "Q" if wide else "I"
    header, segment = (64, 56) if wide else (52, 32)
    at = -(-(header + 3 * segment) // 8) * 8
    tags = [(5, at + len(note))] + ([(14, 1)] if soname is not None else []) + [(0, 0)]
    dynamic = b"".join(struct.pack(f"<2{word}", *tag) for tag in tags)
    place = at + len(note) + len(strings)
    size = place + len(dynamic)
    segments = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, align)
        if wide
        else struct.pack("<IIIIIIII", kind, offset, offset, offset, length, length, 4, align)
        for kind, offset, length, align in (
            (1, 0, size, 4096),
            (2, place, len(dynamic), 8),
            (0x6474E553, at, len(note), 8 if wide else 4),
        )
    )
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    fields = (3, machine, 1, 0, header, 0, 0, header, segment, 3, 0, 0, 0)
    head = ident + struct.pack(f"<HHI3{word}IHHHHHH", *fields)
    return (head + segments).ljust(at, b"\0") + note + strings + dynamic


def library(data: bytes) -> Library | None:
    return read_library(lambda offset, count: data[offset : offset + count], len(data))


def on_disk(root: Path) -> LibraryTree:
    files: dict[str, Library | None] = {}
    links: dict[str, str] = {}
    for directory, names, more in os.walk(root):
        for name in (*names, *more):
            path = Path(directory, name)
            if path.is_symlink():
                links[str(path.relative_to(root))] = str(path.readlink())
            elif path.is_file():
                files[str(path.relative_to(root))] = library(path.read_bytes())
    return LibraryTree(files, links)


def ours(root: Path) -> tuple[bytes, Linked]:
    names = ["etc/ld.so.conf", *(f"etc/ld.so.conf.d/{p.name}" for p in root.glob("etc/*.d/*"))]
    configuration = {name: (root / name).read_bytes() for name in names}
    directories = search_directories(configuration, ARCHITECTURE)
    linked = ldconfig(on_disk(root), directories, ARCHITECTURE)
    return write_cache(LoaderCache(linked.entries, GENERATOR)), linked


def theirs(root: Path) -> LoaderCache:
    assert LDCONFIG is not None
    subprocess.run([LDCONFIG, "-r", str(root)], check=True, capture_output=True)
    return read_cache((root / "etc/ld.so.cache").read_bytes())


def assert_as_ldconfig(root: Path) -> Linked:
    """Compare with what ldconfig writes: its file, but for its own name, and its links."""
    before = on_disk(root).links
    data, linked = ours(root)
    cache = theirs(root)
    assert cache.entries
    written = (root / "etc/ld.so.cache").read_bytes()
    assert write_cache(LoaderCache(cache.entries, cache.generator)) == written
    assert read_cache(data).entries == cache.entries
    assert data == write_cache(LoaderCache(cache.entries, GENERATOR))
    after = on_disk(root).links
    assert {path: text for path, text in after.items() if before.get(path) != text} == linked.links
    return linked


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A merged-/usr root without libraries."""
    (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
    (tmp_path / f"usr/lib/{TRIPLET}").mkdir(parents=True)
    (tmp_path / "usr/local/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    text = f"# libc\n/usr/local/lib\n\n/lib/{TRIPLET}/ # both\n/usr/lib/{TRIPLET}\n"
    (tmp_path / "etc/ld.so.conf.d/libc.conf").write_text(text)
    return tmp_path


def test_this_machines_libraries_are_cached_as_ldconfig_does(root: Path) -> None:
    source = Path("/usr/lib", TRIPLET)
    chance = random.Random(1)
    for path in sorted(source.glob("*.so*")):
        target = root / f"usr/lib/{TRIPLET}" / path.name
        if path.is_symlink():
            if chance.random() < 0.7:  # so that some links have to be made
                target.symlink_to(path.readlink())
        elif path.is_file() and path.stat().st_size < 1 << 20:
            shutil.copyfile(path, target)
    assert len(assert_as_ldconfig(root).entries) > 50


def test_links_names_and_directories_follow_ldconfigs_rules(root: Path) -> None:
    lib = root / f"usr/lib/{TRIPLET}"
    foreign = {62: 183, 183: 62}[MACHINE]
    files = {
        "libold.so.1.9": elf("libold.so.1"),  # two versions: the newer by number
        "libold.so.1.10": elf("libold.so.1"),
        "libplain.so": elf(None),
        "libstale.so.2.0": elf("libstale.so.2"),
        "libother.so.3.1": elf("libother.so.3"),
        "libother.so.3": elf("libother.so.3"),
        "libimp-9.so": elf("libimp.so.4"),
        "libx.so.1": b"/* GNU ld script */",
        "libempty.so.1": b"",
        "plugin.so": elf("plugin.so"),
        "ld-linux-x86-64.so.2": elf("ld-linux-x86-64.so.2"),
        "ld-2.99.so": elf("ld-linux-x86-64.so.2"),
        "libcut.so.1": elf("libcut.so.1")[:150],
    }
    if MACHINE == 62:  # ldconfig of arm64 takes any 64-bit machine for its own
        files["libforeign.so.1"] = elf("libforeign.so.1", machine=foreign)
        files["libx32.so.1"] = elf("libx32.so.1", wide=False)
    for name, data in files.items():
        (lib / name).write_bytes(data)
    links = {
        "libstale.so.2": "libgone.so",
        "libold.so.1": "libold.so.1.9",
        "libold.so": "libold.so.1",
        "libimp.so": "libimp-9.so",
        "libaway.so.1": f"/usr/lib/{TRIPLET}/libother.so.3",
        "libloop.so.1": "libloop.so.1",
    }
    for name, target in links.items():
        (lib / name).symlink_to(target)
    hwcaps = lib / "glibc-hwcaps"
    for name, level in (("x86-64-v3", 2), ("x86-64-v2", 1), (".hidden", 0)):
        (hwcaps / name).mkdir(parents=True)
        (hwcaps / name / "libold.so.1.10").write_bytes(elf("libold.so.1", isa_level=level))
        (hwcaps / name / "libold.so.1").symlink_to("libold.so.1.10")
    (root / "opt/lib").mkdir(parents=True)
    (root / "opt/lib/libold.so.1").write_bytes(elf("libold.so.1"))
    (root / "usr/local/lib/libold.so.1").write_bytes(elf("libold.so.1"))
    conf = root / "etc/ld.so.conf.d"
    (conf / "zz.conf").write_text(
        "hwcap 0 nosegneg\n \t/opt/lib//\n/gone\ninclude /etc/ld.so.conf.d/a* /x\n"
    )
    (conf / "a.list").write_text("/usr/local/lib\n/opt/lib")
    (conf / ".hidden.conf").write_text("/opt/hidden\n")

    linked = assert_as_ldconfig(root)
    found = [entry.path for entry in linked.entries if entry.soname == "libold.so.1"]
    assert found == [
        "/usr/local/lib/libold.so.1",
        f"/lib/{TRIPLET}/libold.so.1",
        f"/lib/{TRIPLET}/glibc-hwcaps/x86-64-v2/libold.so.1.10",
        f"/lib/{TRIPLET}/glibc-hwcaps/x86-64-v3/libold.so.1.10",
        "/opt/lib/libold.so.1",
    ]
    assert linked.links[f"usr/lib/{TRIPLET}/libold.so.1"] == "libold.so.1.10"


def test_what_a_base_has_cached_and_new_libraries_are_one_cache(root: Path) -> None:
    lib, local = root / f"usr/lib/{TRIPLET}", root / "usr/local/lib"
    (lib / "libbase.so.1").write_bytes(elf("libbase.so.1"))
    (local / "libboth.so.1").write_bytes(elf("libboth.so.1"))
    base = theirs(root)
    before = on_disk(root)
    (lib / "libboth.so.1").write_bytes(elf("libboth.so.1"))
    (lib / "libnew.so.10").write_bytes(elf("libnew.so.10"))
    after = on_disk(root)
    new = {path: file for path, file in after.files.items() if path not in before.files}
    conf = {"etc/ld.so.conf": b"/usr/local/lib\n"}
    directories = search_directories(conf, ARCHITECTURE)
    above = ldconfig(LibraryTree(new, after.links), directories, ARCHITECTURE).entries
    both = merge_caches(base.entries, above, directories)
    merged = write_cache(LoaderCache(both, base.generator))
    theirs(root)
    assert merged == (root / "etc/ld.so.cache").read_bytes()
    again = merge_caches(both, above, directories)
    assert write_cache(LoaderCache(again, base.generator)) == merged


def test_libraries_are_those_of_the_images_architecture() -> None:
    files = {
        "usr/lib/libamd.so.1": library(elf("libamd.so.1", machine=62)),
        "usr/lib/libarm.so.1": library(elf("libarm.so.1", machine=183)),
        "usr/lib/libi386.so.1": library(elf("libi386.so.1", machine=3, wide=False)),
        "usr/lib/librisc.so.1": library(elf("librisc.so.1", machine=243)),
    }

    def found(architecture: str) -> dict[str, int]:
        entries = ldconfig(LibraryTree(files, {}), ["/usr/lib"], architecture).entries
        return {entry.soname: entry.flags for entry in entries}

    assert found("amd64") == {"libamd.so.1": 0x303, "libi386.so.1": 0x003}
    assert found("arm64") == {"libarm.so.1": 0xA03}


def test_a_configuration_that_includes_itself_is_read_once() -> None:
    configuration = {
        "etc/ld.so.conf": b"include ld.so.conf.d/* ld.so.conf\n/last\n",
        "etc/ld.so.conf.d/b": b"/b\ninclude ../ld.so.conf\n",
        "etc/ld.so.conf.d/a": b"include /etc/ld.so.conf\n/a /with space\n",
    }
    directories = search_directories(configuration, "arm64")
    assert directories == [
        *("/a /with space", "/b", "/last"),
        *("/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"),
    ]


@pytest.mark.parametrize("soname", ["../x.so", "", "..", "a\nb.so", "x" * 300])
def test_a_soname_that_is_no_file_name_makes_no_library(soname: str) -> None:
    assert library(elf(soname)) is None


def test_damaged_files_give_an_error_or_nothing() -> None:
    chance = random.Random(2)
    shared = elf("libx.so.1", isa_level=2)
    entries = [
        CacheEntry("libx.so.1", "/lib/libx.so.1", 0x303),
        CacheEntry("libx.so.1", "/lib/v/libx.so.1", 0x303, "v", 1),
    ]
    cache = write_cache(LoaderCache(entries, GENERATOR))
    assert read_cache(cache) == LoaderCache([entries[1], entries[0]], GENERATOR)
    for _ in range(3000):
        for data in (shared, cache):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(data))] = chance.choice((0, 1, 127, 255))
            del damaged[chance.choice((len(data), chance.randrange(len(data)))) :]
            library(bytes(damaged))
            with contextlib.suppress(LayerError):
                read_cache(bytes(damaged))
    with pytest.raises(LayerError, match=r"`/etc/ld\.so\.cache` is damaged"):
        read_cache(b"ld.so-1.7.0\0\xff\xff\xff\xff")


def test_the_cache_says_which_glibc_it_is_for(root: Path) -> None:
    command = ["dpkg-query", "--show", "--showformat=${Version}", "libc-bin"]
    version = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (root / f"usr/lib/{TRIPLET}/libx.so.1").write_bytes(elf("libx.so.1"))
    assert theirs(root).generator == generator("Debian", version)


def test_the_cache_of_an_older_glibc_is_read(root: Path) -> None:
    (root / f"usr/lib/{TRIPLET}/libx.so.1").write_bytes(elf("libx.so.1"))
    plain = theirs(root).entries
    assert LDCONFIG is not None
    subprocess.run([LDCONFIG, "-c", "compat", "-r", str(root)], check=True)
    data = (root / "etc/ld.so.cache").read_bytes()
    assert data.startswith(b"ld.so-1.7.0")
    assert read_cache(data).entries == plain
