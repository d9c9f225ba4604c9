"""sysusers.d(5): accounts that a package declares in a file below ``/usr/lib/sysusers.d``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from cogn.layers.debian.accounts import (
    NO_LOGIN,
    AccountRequest,
    GroupRequest,
    MemberRequest,
    UserRequest,
)
from cogn.layers.errors import DebError

__all__ = ["sysusers"]

_LOCKED = "!*"
_ENDED = 1  # the day after 1970-01-01
_SPECIFIERS = {"%%": "%", "%T": "/tmp", "%V": "/var/tmp"}  # noqa: S108
"""The specifiers that do not depend on the running machine."""
_ROOT_SHELL = "/bin/bash"


def sysusers(
    text: str, name: str, owners: Mapping[str, tuple[int, int]] | None = None
) -> list[AccountRequest]:
    """Return what the file `name` asks for: groups, then users, then members.

    `owners` has user and group ids by absolute path, for accounts that take theirs from a file; a
    path that it lacks counts as missing, and the account gets the id of its name. Ranges (``r``)
    have no effect, as no id is searched for. Raises `DebError` for a line that has an error.
    """
    declared = _Declared(owners or {})
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                declared.read(shlex.split(line))
            except ValueError:
                msg = f"`{name}` has a line {number} that cogn does not understand: {line}"
                raise DebError(msg) from None
    return declared.requests()


class _Declared:
    def __init__(self, owners: Mapping[str, tuple[int, int]]) -> None:
        self._owners = owners
        self._groups: dict[str, GroupRequest] = {}
        self._users: dict[str, UserRequest] = {}
        self._members: list[MemberRequest] = []

    def read(self, words: list[str]) -> None:
        """Take one line in; raises `ValueError`."""
        if not 2 <= len(words) <= 6:
            raise ValueError
        kind, name, identity, *rest = [*words, *"-" * (6 - len(words))]
        match kind:
            case "u" | "u!" if _is_set(name):
                gecos, home, shell = map(_value, rest)
                user = self._user(name, identity, gecos, home, shell, ends=kind == "u!")
                self._users.setdefault(name, user)
            case "g" if _is_set(name):
                gid = self._id(identity, group=True)
                self._groups.setdefault(name, GroupRequest(name=name, gid=gid, lock=_LOCKED))
            case "m" if _is_set(name) and _is_set(identity):
                self._members.append(MemberRequest(user=name, group=identity))
            case "r" if not _is_set(name):
                for end in identity.split("-", 1):
                    _number(end)
            case _:
                raise ValueError

    def requests(self) -> list[AccountRequest]:
        """Return the requests; a user or group of a membership that nothing declares is added."""
        for member in self._members:
            self._users.setdefault(member.user, self._user(member.user))
            if member.group not in self._groups and member.group not in self._users:
                self._groups[member.group] = GroupRequest(name=member.group, lock=_LOCKED)
        return [*self._groups.values(), *self._users.values(), *self._members]

    def _user(
        self,
        name: str,
        identity: str = "-",
        gecos: str = "",
        home: str = "",
        shell: str = "",
        *,
        ends: bool = False,
    ) -> UserRequest:
        first, colon, second = identity.partition(":")
        group = None if not colon else _number(second) if second.isdecimal() else second
        if colon and not _is_set(second):
            raise ValueError
        uid = self._id(first)
        return UserRequest(
            name=name,
            uid=uid,
            group=group,
            gecos=gecos,
            home=home or "/",
            shell=shell or (_ROOT_SHELL if uid == 0 else NO_LOGIN),
            lock=_LOCKED,
            expires=_ENDED if ends else None,
        )

    def _id(self, text: str, *, group: bool = False) -> int | None:
        if text.startswith("/"):
            owner = self._owners.get(text)
            return owner and owner[group]
        return _number(text) if _is_set(text) else None


def _value(text: str) -> str:
    """Return a field with its specifiers replaced, "" when it is not set; raises `ValueError`."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] not in _SPECIFIERS:
            raise ValueError
        return _SPECIFIERS[match[0]]

    return re.sub("%.?", replaced, text) if _is_set(text) else ""


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise ValueError
    return int(text)


def _is_set(text: str) -> bool:
    return text not in {"", "-"}
