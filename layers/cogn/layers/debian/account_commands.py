"""The commands with which maintainer scripts make accounts, as requests.

adduser(8) and addgroup(8) as Debian has them since 12, with ``--system`` or to put a user into a
group; useradd(8), groupadd(8), usermod(8) and gpasswd(1) of the package passwd as Debian sets them
up. What makes an account for a person is not understood: no package does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from getopt import GetoptError, gnu_getopt

from cogn.layers.debian.accounts import (
    NO_HOME,
    NO_LOGIN,
    AccountRequest,
    GroupRequest,
    MemberRequest,
    UserRequest,
)
from cogn.layers.errors import DebError

__all__ = ["ACCOUNT_COMMANDS", "account_requests"]

ACCOUNT_COMMANDS = frozenset({"adduser", "addgroup", "useradd", "groupadd", "usermod", "gpasswd"})
"""The names of the commands that are understood."""

_ADDUSER = (
    *("system", "group", "no-create-home", "disabled-login", "disabled-password"),
    *("quiet", "verbose", "debug", "force-badname", "allow-badname"),
    *("allow-bad-names", "allow-all-names"),
    *("stdoutmsglevel=", "stderrmsglevel=", "logmsglevel="),
    *("home=", "shell=", "uid=", "gid=", "ingroup=", "gecos=", "comment="),
)
_USERADD = (
    *("system", "no-create-home", "user-group", "no-user-group", "no-log-init", "badname"),
    *("home-dir=", "shell=", "uid=", "gid=", "comment=", "groups=", "password="),
)
_USERADD_SHORT = {
    "-r": "--system",
    "-M": "--no-create-home",
    "-U": "--user-group",
    "-N": "--no-user-group",
    "-l": "--no-log-init",
    "-d": "--home-dir",
    "-s": "--shell",
    "-u": "--uid",
    "-g": "--gid",
    "-c": "--comment",
    "-G": "--groups",
    "-p": "--password",
}
_USERADD_SHELL = "/bin/sh"
_USERADD_GROUP = 100
"""The primary group with ``--no-user-group``: users."""


def account_requests(words: Sequence[str]) -> list[AccountRequest]:
    """Return what a command, given by its words, asks for.

    The words are literal: quotes and variables of the shell are gone. An account that exists stays
    as it is, where useradd(8) and groupadd(8) would fail: scripts ask first. Raises `DebError` for
    a command that is not understood.
    """
    command = words[0].rpartition("/")[2] if words else ""
    try:
        match command:
            case "adduser" | "addgroup":
                return _adduser(command, words[1:])
            case "useradd":
                return _useradd(words[1:])
            case "groupadd":
                return [_groupadd(words[1:])]
            case "usermod":
                return _usermod(words[1:])
            case "gpasswd":
                return [_gpasswd(words[1:])]
    except (GetoptError, ValueError):
        pass
    raise DebError(f"cogn does not know what the command `{' '.join(words)}` does")


def _adduser(command: str, words: Sequence[str]) -> list[AccountRequest]:
    options, names = _parsed(words, "qr", _ADDUSER, {"-q": "--quiet", "-r": "--system"})
    if len(names) == 2:
        return [MemberRequest(user=names[0], group=names[1])]
    (name,) = names
    if "--system" not in options:
        raise ValueError
    if command == "addgroup":
        return [GroupRequest(name=name, gid=_id(options.get("--gid")))]
    group: str | int | None = options.get("--ingroup") or _id(options.get("--gid"))
    if group is None and "--group" not in options:
        group = "nogroup"
    return [
        UserRequest(
            name=name,
            uid=_id(options.get("--uid")),
            group=group,
            gecos=options.get("--comment", options.get("--gecos", "")),
            home=options.get("--home", NO_HOME),
            shell=options.get("--shell", NO_LOGIN),
            makes_home="--no-create-home" not in options,
        )
    ]


def _useradd(words: Sequence[str]) -> list[AccountRequest]:
    options, (name,) = _parsed(words, "rMUNld:s:u:g:c:G:p:", _USERADD, _USERADD_SHORT)
    if "--system" not in options:
        raise ValueError
    group: str | int | None = None
    if "--gid" in options:
        group = _id_or_name(options["--gid"])
    elif "--no-user-group" in options:
        group = _USERADD_GROUP
    user = UserRequest(
        name=name,
        uid=_id(options.get("--uid")),
        group=group,
        gecos=options.get("--comment", ""),
        home=options.get("--home-dir", f"/home/{name}"),
        shell=options.get("--shell", _USERADD_SHELL),
        lock=options.get("--password", "!"),
    )
    return [user, *_members(name, options.get("--groups", ""))]


def _groupadd(words: Sequence[str]) -> GroupRequest:
    short = {"-r": "--system", "-f": "--force", "-g": "--gid"}
    options, (name,) = _parsed(words, "rfg:", ("system", "force", "gid="), short)
    if "--system" not in options and "--gid" not in options:
        raise ValueError
    return GroupRequest(name=name, gid=_id(options.get("--gid")))


def _usermod(words: Sequence[str]) -> list[AccountRequest]:
    short = {"-a": "--append", "-G": "--groups"}
    options, (name,) = _parsed(words, "aG:", ("append", "groups="), short)
    if options.keys() != {"--append", "--groups"}:
        raise ValueError
    return _members(name, options["--groups"])


def _gpasswd(words: Sequence[str]) -> MemberRequest:
    options, (group,) = _parsed(words, "a:", ("add=",), {"-a": "--add"})
    if not options.get("--add"):
        raise ValueError
    return MemberRequest(user=options["--add"], group=group)


def _parsed(
    words: Sequence[str], short: str, long: Sequence[str], names: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the options by their long names, and the other words; raises `GetoptError`."""
    options, rest = gnu_getopt(list(words), short, list(long))
    return {names.get(option, option): value for option, value in options}, rest


def _members(user: str, groups: str) -> list[AccountRequest]:
    return [MemberRequest(user=user, group=group) for group in groups.split(",") if group]


def _id(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise ValueError
    return int(text)


def _id_or_name(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else text
