"""What is noted of packages."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

from cogn.layers.debian.libraries import Library
from cogn.layers.debian.listing import Item, listings
from cogn.layers.facts import debian_facts
from cogn.store import Cache
from support.debian import make_deb, tar_member

LIBRARY = next(Path("/usr/lib").glob("*-linux-gnu/libz.so.1"))


def test_a_listing_says_what_each_path_of_a_package_is(tmp_path: Path) -> None:
    data = LIBRARY.read_bytes()
    deb = make_deb(
        tmp_path,
        "zlib1g",
        [
            tar_member("./lib/", type=tarfile.DIRTYPE, mode=0o2755, gid=8),
            tar_member("./lib/libz.so.1.2", data),
            tar_member("./lib/libz.so.1", type=tarfile.SYMTYPE, linkname="libz.so.1.2", mode=0o777),
            tar_member("./lib/again.so", type=tarfile.LNKTYPE, linkname="./lib/libz.so.1.2"),
            tar_member("./lib/libtext.so", b"INPUT(libz.so.1)"),
            tar_member("./usr/share/man/man3/zlib.3.gz", b""),
        ],
    )
    cache = Cache(tmp_path / "cache")
    listing = listings([deb], cache, tmp_path)[deb[0].sha256]
    text = hashlib.md5(b"INPUT(libz.so.1)").hexdigest()
    library = listing.items["lib/libz.so.1.2"].library
    assert isinstance(library, Library)
    assert library.soname == "libz.so.1"
    file = Item("file", 0o644, 0, 0, len(data), hashlib.md5(data).hexdigest(), library)
    assert dict(listing.placed(debian_facts("trixie", "amd64"))) == {
        "usr/lib": Item("directory", 0o2755, 0, 8),
        "usr/lib/libz.so.1.2": file,
        "usr/lib/libz.so.1": Item("symlink", 0o777, 0, 0, text="libz.so.1.2"),
        "usr/lib/again.so": file,
        "usr/lib/libtext.so": Item("file", 0o644, 0, 0, 16, text),
    }


def test_a_package_is_unpacked_once(tmp_path: Path) -> None:
    deb, file = make_deb(tmp_path, "sample", [tar_member("./etc/x", b"content")])
    cache = Cache(tmp_path / "cache")
    first = listings([(deb, file)], cache, tmp_path)
    assert listings([(deb, tmp_path / "gone")], cache, tmp_path) == first
    shutil.rmtree(cache.root / "notes")
    assert listings([(deb, file)], cache, tmp_path) == first
