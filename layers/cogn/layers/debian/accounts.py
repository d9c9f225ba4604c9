"""The accounts of a system: passwd(5), group(5), shadow(5) and gshadow(5).

The tools of the packages adduser, passwd and systemd give a new account the next free id. Here the
id follows from the name: `ACCOUNT_IDS` has those of known names, and any other name gets one from
500 to 999 by its hash, or the next that is free. An account that a file has already stays as it is.

New lines are appended in the order of the calls, as the tools do, so the caller decides it: the
packages sorted by name, and within a package the order of its scripts. What is in a file of a base
image and is no account stays as it is, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cogn.layers.debian.account_ids import ACCOUNT_IDS
from cogn.layers.entry import MTIME, Bytes, Entry, Kind, check_path
from cogn.layers.errors import DebError

__all__ = [
    "FILES",
    "GREATEST_ID",
    "NO_HOME",
    "NO_LOGIN",
    "AccountRequest",
    "Accounts",
    "GroupRequest",
    "MemberRequest",
    "UserRequest",
]

_PASSWD, _GROUP, _SHADOW, _GSHADOW = "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"
FILES = (_PASSWD, _GROUP, _SHADOW, _GSHADOW)
"""The files that hold accounts."""

NO_LOGIN = "/usr/sbin/nologin"
NO_HOME = "/nonexistent"

GREATEST_ID = 0o7777777
"""The greatest id that a file of a layer can have."""

_DAY = str(MTIME // 86_400)
"""When passwords were changed last, in days since 1970: the time that all files have."""
_AGING = ("0", "99999", "7")
"""Least and greatest age of a password and the warning before, in days, as login.defs(5) has it."""
_HASHED_IDS = range(500, 1000)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
_ID = re.compile(r"[0-9]{1,10}", re.ASCII)
_FORBIDDEN = re.compile(r"[:\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRequest:
    """A group that shall exist. Without a `gid` it has the id of its name."""

    name: str
    gid: int | None = None
    lock: str = "!"
    """What stands for a password in gshadow(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRequest:
    """A user that shall exist. Without a `uid` it has the id of its name."""

    name: str
    uid: int | None = None
    group: str | int | None = None
    """The primary group, which exists; None for one of the user's name, made if it is missing."""
    gecos: str = ""
    home: str = NO_HOME
    shell: str = NO_LOGIN
    lock: str = "!"
    """What stands for a password in shadow(5)."""
    expires: int | None = None
    """The day of its end, since 1970."""
    makes_home: bool = False
    """Whether the home directory is made, empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRequest:
    """A user that shall be in a group; both exist."""

    user: str
    group: str


AccountRequest = GroupRequest | UserRequest | MemberRequest


class Accounts:
    """The accounts of a system, read from its files and added to."""

    def __init__(self, files: Mapping[str, bytes], *, shadow: bool = False) -> None:
        """Read those of `files`, by path, that hold accounts (as `Rootfs.contents` has them).

        `shadow` says that the package passwd is installed on this system: passwords leave
        passwd(5) and group(5), as pwconv(8) and grpconv(8) do it. Without it shadow(5) and
        gshadow(5) are only added to where they exist.
        """
        self._before = {path: files[path] for path in FILES if path in files}
        self._passwd = _Table(files.get(_PASSWD, b""), 7, (2, 3))
        self._group = _Table(files.get(_GROUP, b""), 4, (2,))
        self._shadow = _Table(files.get(_SHADOW, b""), 9) if shadow or _SHADOW in files else None
        self._gshadow = _Table(files.get(_GSHADOW, b""), 4) if shadow or _GSHADOW in files else None
        self._uids = _ids(self._passwd)
        self._gids = _ids(self._group)
        self._homes: dict[str, Entry] = {}
        if shadow:
            self._convert()

    def apply(self, request: AccountRequest) -> None:
        """Do what is asked for, unless it is so already; raises `DebError` if it cannot be."""
        match request:
            case GroupRequest():
                self._add_group(request)
            case UserRequest():
                self._add_user(request)
            case MemberRequest():
                self._add_member(request)

    def uid(self, name: str) -> int:
        """Return the id of a user; raises `DebError` when there is none that a layer can have."""
        return _number(self._passwd.get(name), 2, f"user `{name}`")

    def gid(self, name: str) -> int:
        """Return the id of a group; raises `DebError` when there is none that a layer can have."""
        return _number(self._group.get(name), 2, f"group `{name}`")

    def primary_gid(self, uid: int) -> int:
        """Return the id of a user's primary group; raises `DebError` as `uid` does."""
        return _number(self._passwd.get(self._uids.get(uid, "")), 3, f"user with the id {uid}")

    def has_user(self, name: str) -> bool:
        """Tell whether there is a user of that name."""
        return self._passwd.get(name) is not None

    def has_group(self, name: str) -> bool:
        """Tell whether there is a group of that name."""
        return self._group.get(name) is not None

    def files(self) -> dict[str, bytes]:
        """Return the content of the files that changed, by path."""
        tables = {_PASSWD: self._passwd, _GROUP: self._group}
        tables |= {_SHADOW: self._shadow} if self._shadow else {}
        tables |= {_GSHADOW: self._gshadow} if self._gshadow else {}
        written = {path: table.encode() for path, table in tables.items()}
        return {path: data for path, data in written.items() if data != self._before.get(path, b"")}

    def entries(self) -> Iterator[Entry]:
        """Yield the files that changed and the home directories that were made.

        A home directory that a package or the base has already stays as that has it: adduser(8)
        makes none then, and changes no owner.
        """
        shadow = self.gid("shadow") if self.has_group("shadow") else 0
        for path, data in self.files().items():
            is_secret = path in {_SHADOW, _GSHADOW}
            yield Entry(
                path=path,
                kind=Kind.FILE,
                mode=0o640 if is_secret else 0o644,
                gid=shadow if is_secret else 0,
                content=Bytes(data),
            )
        yield from self._homes.values()

    def _convert(self) -> None:
        assert self._shadow is not None
        assert self._gshadow is not None
        for name, password, *_ in self._passwd.rows():
            if self._shadow.get(name) is None:
                self._shadow.put(name, password, _DAY, *_AGING, "", "", "")
            self._passwd.change(name, 1, "x")
        for name, password, _, members in self._group.rows():
            if self._gshadow.get(name) is None:
                self._gshadow.put(name, password, "", members)
            self._group.change(name, 1, "x")

    def _add_group(self, request: GroupRequest) -> None:
        if self._group.get(request.name) is None:
            _check(request.name, request.lock)
            self._put_group(request, self._free(request.name, request.gid, self._gids))

    def _put_group(self, request: GroupRequest, gid: int) -> None:
        hidden = self._gshadow is not None
        self._group.put(request.name, "x" if hidden else request.lock, str(gid), "")
        if self._gshadow is not None:
            self._gshadow.put(request.name, request.lock, "", "")
        self._gids[gid] = request.name

    def _add_user(self, request: UserRequest) -> None:
        if self._passwd.get(request.name) is not None:
            return
        _check(request.name, request.lock, request.gecos, request.home, request.shell)
        uid, gid = self._user_ids(request)
        hidden = self._shadow is not None
        password = "x" if hidden else request.lock
        ids = (str(uid), str(gid))
        self._passwd.put(request.name, password, *ids, request.gecos, request.home, request.shell)
        if self._shadow is not None:
            expires = "" if request.expires is None else str(request.expires)
            self._shadow.put(request.name, request.lock, _DAY, "", "", "", "", expires, "")
        self._uids[uid] = request.name
        if request.makes_home and request.home != NO_HOME:
            self._make_home(request, uid, gid)

    def _user_ids(self, request: UserRequest) -> tuple[int, int]:
        match request.group:
            case str(name):
                return self._free(request.name, request.uid, self._uids), self.gid(name)
            case int(gid):
                if gid not in self._gids:
                    raise DebError(f"the user `{request.name}` needs group {gid}: there is none")
                return self._free(request.name, request.uid, self._uids), gid
        if self._group.get(request.name) is not None:
            return self._free(request.name, request.uid, self._uids), self.gid(request.name)
        group = GroupRequest(name=request.name, lock=request.lock)
        if request.uid is None:
            both = self._free(request.name, None, self._uids.keys() | self._gids.keys())
            self._put_group(group, both)
            return both, both
        uid = self._free(request.name, request.uid, self._uids)
        gid = uid if uid not in self._gids else self._free(request.name, None, self._gids)
        self._put_group(group, gid)
        return uid, gid

    def _make_home(self, request: UserRequest, uid: int, gid: int) -> None:
        path = request.home.strip("/")
        if not path:
            return  # the root is there
        if problem := check_path(path):
            raise DebError(f"the home of `{request.name}`, `{request.home}`, {problem}")
        self._homes[path] = Entry(path=path, kind=Kind.DIRECTORY, mode=0o755, uid=uid, gid=gid)

    def _add_member(self, request: MemberRequest) -> None:
        self.uid(request.user)
        self.gid(request.group)
        for table in filter(None, (self._group, self._gshadow)):
            line = table.get(request.group)
            members = [name for name in line[3].split(",") if name] if line else [request.user]
            if request.user not in members:
                table.change(request.group, 3, ",".join([*members, request.user]))

    def _free(self, name: str, wanted: int | None, taken: Collection[int]) -> int:
        if wanted is not None:
            if wanted in taken or wanted > GREATEST_ID:
                raise DebError(f"the account `{name}` needs the id {wanted}, which it cannot have")
            return wanted
        digest = hashlib.sha256(name.encode()).digest()
        first = int.from_bytes(digest[:8]) % len(_HASHED_IDS)
        ids: list[int] = [*_HASHED_IDS[first:], *_HASHED_IDS[:first]]
        if name in ACCOUNT_IDS:
            ids.insert(0, ACCOUNT_IDS[name])
        for each in ids:
            if each not in taken:
                return each
        msg = f"no id from {_HASHED_IDS[0]} to {_HASHED_IDS[-1]} is left for the account `{name}`"
        raise DebError(msg)


class _Table:
    """A file of lines whose fields stand between colons; the first of them is a name.

    A line that has not `width` fields, or no number in one of `numbers`, stays and is no account.
    The first line of a name counts, as for getpwnam(3).
    """

    def __init__(self, data: bytes, width: int, numbers: tuple[int, ...] = ()) -> None:
        text = data.decode("utf-8", "surrogateescape")
        self._end = "" if text and not text.endswith("\n") else "\n"
        self._lines = text.removesuffix("\n").split("\n") if text else []
        self._at: dict[str, int] = {}
        for index, line in enumerate(self._lines):
            fields = line.split(":")
            is_account = len(fields) == width and fields[0] and fields[0][0] not in "#+-"
            if is_account and all(_ID.fullmatch(fields[number]) for number in numbers):
                self._at.setdefault(fields[0], index)

    def get(self, name: str) -> list[str] | None:
        index = self._at.get(name)
        return None if index is None else self._lines[index].split(":")

    def rows(self) -> list[list[str]]:
        return [self._lines[index].split(":") for index in self._at.values()]

    def put(self, *fields: str) -> None:
        """Add a line, or replace the one of that name."""
        self._end = "\n"
        index = self._at.setdefault(fields[0], len(self._lines))
        self._lines[index : index + 1] = [":".join(fields)]

    def change(self, name: str, field: int, value: str) -> None:
        fields = self._lines[self._at[name]].split(":")
        fields[field] = value
        self._lines[self._at[name]] = ":".join(fields)

    def encode(self) -> bytes:
        text = "\n".join(self._lines)
        return f"{text}{self._end}".encode("utf-8", "surrogateescape") if self._lines else b""


def _ids(table: _Table) -> dict[int, str]:
    ids: dict[int, str] = {}
    for row in table.rows():
        ids.setdefault(int(row[2]), row[0])
    return ids


def _number(line: Sequence[str] | None, field: int, name: str) -> int:
    if line is None:
        raise DebError(f"there is no {name} that a package's script can use")
    number = int(line[field])
    if number > GREATEST_ID:
        raise DebError(f"the {name} has the id {number}: no file of a layer can have one so great")
    return number


def _check(name: str, *fields: str) -> None:
    if not _NAME.fullmatch(name):
        raise DebError(f"`{name}` cannot be the name of an account")
    for field in fields:
        if _FORBIDDEN.search(field):
            raise DebError(f"the account `{name}` cannot have {field!r}: it would end its field")
