"""Root file systems as values, to compare what is in an image with what was really installed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from cogn.lockfiles import Deb

__all__ = ["Node", "Tree", "differences", "installed_tree", "layout_tree"]

_UNORDERED = ("var/lib/dpkg/diversions", "var/lib/dpkg/status", "var/lib/dpkg/triggers/File")
"""Files whose lines dpkg writes in the order in which it met the packages."""

_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.SYMTYPE: "link",
    tarfile.DIRTYPE: "directory",
}


@dataclass(frozen=True)
class Node:
    """What is at one path; owners are numbers as in the archive."""

    kind: str
    mode: int
    uid: int
    gid: int
    target: str = ""
    size: int = 0
    sha256: str = ""
    capabilities: str = ""
    text: bytes = b""
    """Of the files that say which number is which name."""


Tree = dict[str, Node]


def layout_tree(layout: Path, counts: Callable[[str], bool]) -> Tree:
    """Return what the layers of the image in an OCI layout are together.

    Only those layers count of which `counts` says so, by their names in the image's history.
    """
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads(_blob(layout, entry["digest"]).read_bytes())
    config = json.loads(_blob(layout, manifest["config"]["digest"]).read_bytes())
    tree: Tree = {}
    for layer, step in zip(manifest["layers"], config["history"], strict=True):
        if counts(step["created_by"].removeprefix("cogn: ")):
            with tarfile.open(_blob(layout, layer["digest"])) as archive:
                tree |= dict(_nodes(archive))
    return tree


def installed_tree(
    debs: Sequence[tuple[Deb, Path]], sources: Sequence[str], scratch: Path, options: Sequence[str]
) -> Tree:
    """Return what mmdebstrap makes of packages, whose scripts it runs.

    `sources` are lines as in sources.list(5), that of the release first; `options` are dpkg's.
    """
    for deb, file in debs:
        version = deb.version.replace(":", "%3a")
        (scratch / f"{deb.name}_{version}_{deb.architecture}.deb").symlink_to(file)
    target = scratch / "installed.tar"
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=essential", "--skip=check/qemu"),
        # Nobody needs the files after a loss of power: dpkg need not wait for the disk.
        *(f"--dpkgopt={option}" for option in ("force-unsafe-io", *options)),
        # Java's scripts fail without the directory of manuals, even where these are left out.
        f"--setup-hook=mkdir -p $1/var/cache/apt/archives $1/usr/share/man/man1 && "
        f"cp -L {scratch}/*.deb $1/var/cache/apt/archives/",
        f"--include={','.join(f'{deb.name}={deb.version}' for deb, _ in debs)}",
        *("", str(target), *sources),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line[:300] for line in result.stderr.splitlines()]
    assert result.returncode == 0, "\n".join(said[-30:])
    with tarfile.open(target) as archive:
        return dict(_nodes(archive))


def differences(ours: Tree, theirs: Tree, allowed: Iterable[str]) -> list[str]:
    """Return a line for each path outside of `allowed` (patterns) that is not the same in both.

    Owners are compared by their names in each tree's own accounts.
    """
    patterns = list(allowed)
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            continue
        one, other = ours.get(path), theirs.get(path)
        if one is None or other is None:
            found.append(f"only {'installed' if one is None else 'in the image'}: {path}")
            continue
        seen = _shown(one, ours), _shown(other, theirs)
        if seen[0] != seen[1]:
            found.append(f"{path}: {seen[0]} in the image, {seen[1]} installed")
    return found


def _shown(node: Node, tree: Mapping[str, Node]) -> str:
    owner = f"{_name(node.uid, 'etc/passwd', tree)}:{_name(node.gid, 'etc/group', tree)}"
    parts = [node.kind, owner, node.target, node.sha256[:12], node.capabilities]
    if node.kind != "link":
        parts.insert(1, f"{node.mode:o}")
    return " ".join(filter(None, parts))


def _name(number: int, file: str, tree: Mapping[str, Node]) -> str:
    text = tree[file].text.decode() if file in tree else ""
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(number):
            return fields[0]
    return str(number)


def _nodes(archive: tarfile.TarFile) -> Iterator[tuple[str, Node]]:
    files: dict[str, Node] = {}
    for member in archive:
        path = member.name.removeprefix("./").rstrip("/")
        if path in {"", "."}:
            continue
        if member.islnk():
            node = files[member.linkname.removeprefix("./")]
        else:
            node = _node(archive, member, path)
        if node.kind == "file":
            files[path] = node
        yield path, node


def _node(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> Node:
    kind = _KINDS.get(member.type, "other")
    stream = archive.extractfile(member) if kind == "file" else None
    data = b"" if stream is None else stream.read()
    if path in _UNORDERED:
        data = b"\n".join(sorted(data.split(b"\n")))
    capability = member.pax_headers.get("SCHILY.xattr.security.capability", "")
    return Node(
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        target=member.linkname if kind == "link" else "",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest() if kind == "file" else "",
        capabilities=capability.encode("utf-8", "surrogateescape").hex(),
        text=data if path in {"etc/passwd", "etc/group"} else b"",
    )


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
