"""The programs that change and tell modes and owners: chmod(1), chown(1), stat(1), setcap(8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from cogn.layers.debian.capabilities import XATTR, file_capabilities
from cogn.layers.debian.overrides import chmod, chown
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.files import make_directory, put_entry, target_path
from cogn.layers.debian.scripts.options import options
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded
from cogn.layers.entry import Bytes, Entry, Kind

__all__ = ["METADATA"]


def _changed(shell: Shell, words: list[str], *, recursive: bool, links: bool) -> list[Entry] | None:
    """Return what the paths name, with all that is below; None when one is not there."""
    found = []
    for word in words:
        node = shell.node(word, follow=not links)
        if node is None:
            return None
        found.append(node)
        if recursive and node.kind is Kind.DIRECTORY:
            found += shell.tree.below(node.path)
    return found


def _chmod(shell: Shell, arguments: list[str], streams: Streams) -> int:
    removing = [each for each in arguments if re.fullmatch("-[rwxXst]+", each)]
    given, words = options(
        [each for each in arguments if each not in removing], "Rfv", ("recursive", "quiet")
    )
    mode, *paths = [*removing, *words] or [""]
    recursive = bool({name for name, _ in given} & {"-R", "--recursive"})
    nodes = _changed(shell, paths, recursive=recursive, links=False)
    for node in nodes or ():
        if node.kind is not Kind.SYMLINK:
            shell.tree.change(chmod(node, mode))
    return int(nodes is None)


def _chown(prefix: str) -> Program:
    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        given, words = options(
            arguments, "RfhvcHLP", ("recursive", "quiet", "no-dereference", "changes", "from=")
        )
        names = {name for name, _ in given}
        owner, *paths = words or [""]
        nodes = _changed(
            shell,
            paths,
            recursive=bool(names & {"-R", "--recursive"}),
            links=bool(names & {"-h", "--no-dereference"}),
        )
        if "--from" in names:
            raise Unfollowed("it changes the owner of what another one has")
        accounts = shell.system.accounts()
        for node in nodes or ():
            shell.tree.change(chown(node, f"{prefix}{owner}", accounts))
        return int(nodes is None)

    return program


def _install(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments,
        "dDcpm:o:g:vT",
        ("directory", "mode=", "owner=", "group=", "verbose", "no-target-directory"),
    )
    named = dict(given)
    mode = named.get("-m", named.get("--mode", "0755"))
    owner = named.get("-o", named.get("--owner", ""))
    group = named.get("-g", named.get("--group", ""))
    paths = []
    if named.keys() & {"-d", "--directory"}:
        for word in words:
            real = shell.real(word)
            if make_directory(shell, real, None, parents=True):
                return 1
            paths.append(real)
    else:
        if len(words) != 2 or "-D" in named:
            raise Unfollowed("it installs several files")
        path = target_path(shell, *words)
        node = shell.node(words[0])
        data = Bytes(b"")
        if node is not None and node.kind is Kind.FILE:
            data = Bytes(shell.tree.read(node.path))
        elif words[0] != "/dev/null":
            return 1
        if put_entry(shell, Entry(path=path, kind=Kind.FILE, mode=0o600, content=data)):
            return 1
        paths.append(path)
    for path in paths:
        node = shell.tree.get(path)
        assert node is not None
        if owner or group:
            suffix = f":{group}" if group else ""
            node = chown(node, f"{owner}{suffix}", shell.system.accounts())
        shell.tree.change(chmod(node, mode))
    return 0


def _stat(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "Lc:", ("dereference", "format="))
    named = dict(given)
    form = named.get("-c", named.get("--format", ""))
    if not form or set(re.findall("%(.)", form)) - set("augUGn"):
        raise Unfollowed("it asks for what is not known of a file")
    for word in words:
        node = shell.node(word, follow=bool(named.keys() & {"-L", "--dereference"}))
        if node is None:
            return 1
        values = {
            "a": f"{node.mode:o}",
            "u": str(node.uid),
            "g": str(node.gid),
            "n": word,
            "U": _account(shell, "passwd", node.uid),
            "G": _account(shell, "group", node.gid),
        }
        text = "".join(
            values[piece] if index % 2 else piece
            for index, piece in enumerate(re.split("%(.)", form))
        )
        streams.print(f"{text}\n")
    return 0


def _account(shell: Shell, table: str, number: int) -> str:
    """Return the name of a user or group, as `stat` prints it."""
    path = f"etc/{table}"
    lines = decoded(shell.tree.read(path)).splitlines() if shell.tree.get(path) else []
    rows = (line.split(":") for line in lines)
    return next((row[0] for row in rows if row[2:3] == [str(number)]), "UNKNOWN")


def _getcap(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for word in arguments:
        node = shell.node(word)
        if node is not None and any(name == XATTR for name, _ in node.xattrs):
            streams.print(f"{word} =\n")
    return 0


def _setcap(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "qr", (), mixed=False)
    if given or len(words) != 2:
        raise Unfollowed("it calls setcap in a way that is not known")
    text, path = words
    node = shell.node(path)
    if node is None or node.kind is not Kind.FILE:
        return 1
    others = tuple(each for each in node.xattrs if each[0] != XATTR)
    shell.tree.change(replace(node, xattrs=(*others, (XATTR, file_capabilities(text)))))
    return 0


METADATA: Mapping[str, Program] = {
    "chgrp": _chown(":"),
    "chmod": _chmod,
    "chown": _chown(""),
    "getcap": _getcap,
    "install": _install,
    "setcap": _setcap,
    "stat": _stat,
}
"""The programs by their names."""
