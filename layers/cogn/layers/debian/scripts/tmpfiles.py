"""tmpfiles.d(5): what systemd-tmpfiles(8) creates, where an image has systemd.

Lines whose path or content depends on the machine, its credentials too, and access control lists
are left out; so is all that is below ``/run``, ``/dev``, ``/proc`` and ``/sys``, which a container
gets anew.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

from cogn.layers.debian.overrides import chown
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded, encoded
from cogn.layers.entry import Bytes, Entry, Kind

__all__ = ["TMPFILES"]

_DIRECTORIES = ("etc/tmpfiles.d", "usr/lib/tmpfiles.d")
_ELSEWHERE = ("run", "dev", "proc", "sys")
_FACTORY = "/usr/share/factory"
_MODE = re.compile("[:~]*([0-7]{3,5})")
_IGNORED = frozenset("xXrRaAtThHpbce")
"""Kinds of lines that make nothing in an image, or what a layer cannot hold."""


def _systemd_tmpfiles(shell: Shell, arguments: list[str], streams: Streams) -> int:
    names = [each for each in arguments if not each.startswith("--")]
    if "--create" not in arguments:
        raise Unfollowed(f"it calls `systemd-tmpfiles {' '.join(arguments)}`")
    if not names:
        there = {name for directory in _DIRECTORIES for name in shell.tree.names(directory)}
        names = sorted(name for name in there if name.endswith(".conf"))
    status = 0
    for name in names:
        file = next(
            (f"{d}/{name}" for d in _DIRECTORIES if shell.tree.get(f"{d}/{name}") is not None), None
        )
        if file is None:
            status = 1
            continue
        for line in decoded(shell.tree.read(file)).splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                _create(shell, line)
    return status


def _create(shell: Shell, line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if len(words) < 2:
        raise Unfollowed(f"`{line}` is no line of tmpfiles.d")
    kind, path, mode, user, group, _, argument = [*words, *["-"] * 5][:7]
    letter = kind[0]
    if letter in _IGNORED or set(kind) & {"!", "^"} or "%" in path:
        return
    real = shell.real(path, follow=letter not in "L")
    if posixpath.normpath(path).strip("/").partition("/")[0] in _ELSEWHERE or (
        real.partition("/")[0] in _ELSEWHERE
    ):
        return
    before = shell.tree.get(real)
    match letter:
        case "d" | "D" | "q" | "Q" | "v":
            if before is None:
                shell.tree.make_parents(real)
                shell.tree.put(Entry.directory(real))
        case "f" | "F" | "w":
            if letter == "w" or "%" in argument:
                raise Unfollowed(f"`{line}` writes what is not known")
            if before is None:
                text = "" if argument == "-" else argument
                shell.tree.make_parents(real)
                shell.tree.put(Entry.file(real, Bytes(encoded(text))))
        case "L":
            target = argument if argument != "-" else f"{_FACTORY}{path}"
            if "?" in kind:
                raise Unfollowed(f"`{line}` has a kind that is not known")
            if before is None or kind.startswith("L+"):
                shell.tree.make_parents(real)
                shell.tree.put(Entry.symlink(real, target))
            return
        case "C":
            source = argument if argument != "-" else f"{_FACTORY}{path}"
            node = shell.node(source)
            if before is None and node is not None:
                if node.kind is not Kind.FILE:
                    raise Unfollowed(f"`{line}` copies a directory")
                shell.tree.make_parents(real)
                content = Bytes(shell.tree.read(node.path))
                shell.tree.put(replace(node, path=real, content=content))
        case "z" | "Z" | "m":
            pass
        case _:
            raise Unfollowed(f"`{line}` has a kind that is not known")
    _set(shell, real, mode, user, group)


def _set(shell: Shell, real: str, mode: str, user: str, group: str) -> None:
    """Give mode and owner to what is there, as far as a line names them."""
    node = shell.tree.get(real)
    if node is None:
        return
    if user != "-" or group != "-":
        owner = f"{user.strip(':-')}:{group.strip(':-')}".removesuffix(":")
        node = chown(node, owner, shell.system.accounts()) if owner else node
    if found := _MODE.fullmatch(mode):
        node = replace(node, mode=int(found[1], 8))
    shell.tree.change(node)


TMPFILES: Mapping[str, Program] = {"systemd-tmpfiles": _systemd_tmpfiles}
"""The program by its name."""
