"""Modes and owners that maintainer scripts give to files: chmod(1), chown(1), dpkg-statoverride(1).

What dpkg-statoverride changes is also on dpkg's list of overrides, so that a later upgrade keeps
it. The list of a base image holds for the packages that are put on top of it too: dpkg unpacks a
file with the owner and mode that the list says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cogn.layers.debian.accounts import GREATEST_ID, Accounts
from cogn.layers.debian.capabilities import XATTR
from cogn.layers.entry import Bytes, Entry, Kind, check_path
from cogn.layers.errors import DebError

__all__ = ["STATOVERRIDE", "Override", "chmod", "chown", "statoverride"]

STATOVERRIDE = "var/lib/dpkg/statoverride"
"""The list of overrides."""

_OCTAL = re.compile(r"0?[0-7]{1,4}")
_SYMBOLIC = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_ID = re.compile(r"[0-9]{1,10}", re.ASCII)
_SET_UID = 0o4000
_SET_IDS = 0o6000
_GROUP_EXECUTES = 0o010
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_SHIFT = {"u": 6, "g": 3, "o": 0}
_UMASK = 0o022


@dataclass(frozen=True, slots=True)
class Override:
    """One line of dpkg's list: the owner, the group and the mode of the file at a path.

    User and group are names, or numbers after ``#``.
    """

    user: str
    group: str
    mode: int
    path: str
    """Absolute."""
    updates: bool = True
    """Whether the file is changed now, and not only when dpkg unpacks it the next time."""

    @classmethod
    def parse(cls, words: Sequence[str]) -> Override:
        """Return what ``dpkg-statoverride`` with these arguments adds; raises `DebError`.

        The arguments are literal: quotes and variables of the shell are gone. Only ``--add`` is
        understood, with ``--update`` or without.
        """
        options = {word for word in words if word.startswith("--")}
        rest = [word for word in words if not word.startswith("--")]
        if "--add" in options and options <= {"--add", "--update", "--quiet", "--force"}:
            override = cls._from_fields(rest)
            if override is not None:
                return replace(override, updates="--update" in options)
        raise DebError(f"cogn cannot read what `dpkg-statoverride {' '.join(words)}` sets")

    @classmethod
    def _from_fields(cls, fields: Sequence[str]) -> Override | None:
        match fields:
            case [user, group, mode, path] if _OCTAL.fullmatch(mode):
                is_path = path.startswith("/") and check_path(path.removeprefix("/")) is None
                if user and group and is_path:
                    return cls(user, group, int(mode, 8), path)
        return None

    @classmethod
    def read(cls, listed: bytes) -> list[Override]:
        """Return the overrides on a list; lines that dpkg could not read are left out."""
        lines = listed.decode("utf-8", "replace").split("\n")
        parsed = (cls._from_fields(line.split(" ", 3)) for line in lines)
        return [override for override in parsed if override is not None]

    def apply(self, entry: Entry, accounts: Accounts) -> Entry:
        """Return a file or directory as the override wants it; raises `DebError` for its owner."""
        uid = _account_id(self.user, accounts, "uid")
        gid = _account_id(self.group, accounts, "gid")
        return replace(entry, uid=uid, gid=gid, mode=self.mode)


def statoverride(overrides: Iterable[Override], before: bytes = b"") -> Entry:
    """Return dpkg's list with `overrides` on it, after what the base's list `before` has.

    What is on the list already stays, as scripts ask for it first. New lines are sorted by path,
    whereas dpkg's are in no order.
    """
    kept = before if not before or before.endswith(b"\n") else before + b"\n"
    known = {override.path for override in Override.read(before)}
    new: dict[str, Override] = {}
    for override in overrides:
        if override.path not in known:
            new.setdefault(override.path, override)
    lines = [
        f"{override.user} {override.group} {override.mode:o} {path}\n"
        for path, override in sorted(new.items())
    ]
    return Entry.file(STATOVERRIDE, Bytes(kept + "".join(lines).encode()))


def chown(entry: Entry, owner: str, accounts: Accounts) -> Entry:
    """Return the entry after ``chown OWNER``, where a group follows a colon (or a dot).

    A new owner costs a file its set-id bits and capabilities, as in Linux. ``chgrp G`` is
    ``chown :G``. Raises `DebError` for an owner that does not exist.
    """
    user, separator, group = owner.partition(":")
    if not separator and not accounts.has_user(owner):
        user, separator, group = owner.partition(".")
    uid = _account_id(user, accounts, "uid") if user else entry.uid
    gid = _account_id(group, accounts, "gid") if group else entry.gid
    if separator and user and not group:
        gid = accounts.primary_gid(uid)
    mode, xattrs = entry.mode, entry.xattrs
    if entry.kind is Kind.FILE:
        mode &= ~(_SET_IDS if mode & _GROUP_EXECUTES else _SET_UID)
        xattrs = tuple(each for each in xattrs if each[0] != XATTR)
    return replace(entry, uid=uid, gid=gid, mode=mode, xattrs=xattrs)


def chmod(entry: Entry, mode: str) -> Entry:
    """Return the entry after ``chmod MODE``, octal or symbolic, with the umask 022.

    A directory keeps its set-id bits unless the mode names them, as in GNU's chmod. Raises
    `DebError` for a mode that is none.
    """
    is_directory = entry.kind is Kind.DIRECTORY
    if _OCTAL.fullmatch(mode):
        bits = int(mode, 8)
        kept = entry.mode & _SET_IDS if is_directory and len(mode) < 5 else 0
        return replace(entry, mode=bits & 0o7777 | kept)
    bits = entry.mode
    for clause in mode.split(","):
        parsed = _SYMBOLIC.fullmatch(clause)
        if parsed is None:
            raise DebError(f"`{mode}` is no mode that chmod(1) reads")
        who, actions = parsed.groups()
        for sign, permissions in _ACTION.findall(actions):
            bits = _changed(bits, who, sign, permissions, is_directory=is_directory)
    return replace(entry, mode=bits)


def _changed(bits: int, who: str, sign: str, permissions: str, *, is_directory: bool) -> int:
    classes = "ugo" if not who or "a" in who else who
    affected = sum(_WHO[each] for each in set(classes))
    value = _value(bits, permissions, is_directory=is_directory) & affected
    if not who:
        value &= ~_UMASK
    if sign == "+":
        return bits | value
    if sign == "-":
        return bits & ~value
    return bits & ~affected | bits & (_SET_IDS if is_directory else 0) | value


def _value(bits: int, permissions: str, *, is_directory: bool) -> int:
    """Return what the letters stand for, in the places of all classes."""
    if permissions in _SHIFT:
        copied = bits >> _SHIFT[permissions] & 0o7
        return copied * 0o111
    value = 0
    for letter in permissions:
        if letter == "X":
            value |= 0o111 if is_directory or bits & 0o111 else 0
        elif letter == "s":
            value |= _SET_IDS
        elif letter == "t":
            value |= 0o1000
        else:
            value |= _BITS[letter]
    return value


def _account_id(text: str, accounts: Accounts, kind: str) -> int:
    digits = text.removeprefix("#")
    if not _ID.fullmatch(digits):
        return accounts.uid(text) if kind == "uid" else accounts.gid(text)
    if int(digits) > GREATEST_ID:
        raise DebError(f"no file of a layer can have the {kind} {digits}: it is too great")
    return int(digits)
