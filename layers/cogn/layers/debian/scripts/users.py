"""The programs that add and look up users and groups: adduser(8), getent(1), id(1)."""

from __future__ import annotations

from collections.abc import Mapping

from cogn.layers.debian.account_commands import ACCOUNT_COMMANDS, account_requests
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded
from cogn.layers.debian.sysusers import sysusers
from cogn.layers.errors import DebError

__all__ = ["USERS"]


def _accounts(command: str) -> Program:
    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        shell.system.add_accounts(account_requests([command, *arguments]))
        return 0

    return program


def _getent(shell: Shell, arguments: list[str], streams: Streams) -> int:
    match arguments:
        case ["passwd" | "group" | "shadow" as table, key]:
            path = f"etc/{table}"
            text = decoded(shell.tree.read(path)) if shell.tree.get(path) else ""
            for line in text.splitlines():
                fields = line.split(":")
                if fields[0] == key or fields[2:3] == [key]:
                    streams.print(f"{line}\n")
                    return 0
            return 2
    raise Unfollowed(f"it calls `getent {' '.join(arguments)}`")


def _id(shell: Shell, arguments: list[str], streams: Streams) -> int:
    match arguments:
        case ["-u"]:
            streams.print("0\n")
            return 0
        case ["-u", name] | [name] if not name.startswith("-"):
            try:
                uid = shell.system.accounts().uid(name)
            except DebError:
                return 1
            streams.print(f"{uid}\n")
            return 0
        case ["-g", name]:
            try:
                uid = shell.system.accounts().uid(name)
            except DebError:
                return 1
            streams.print(f"{shell.system.accounts().primary_gid(uid)}\n")
            return 0
    raise Unfollowed(f"it calls `id {' '.join(arguments)}`")


def _shadowconfig(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments != ["on"]:
        raise Unfollowed("it turns shadow passwords off")
    shell.system.add_accounts((), shadow=True)
    return 0


def _systemd_sysusers(shell: Shell, arguments: list[str], streams: Streams) -> int:
    names = [each for each in arguments if not each.startswith("--")]
    for name in names:
        if "/" in name:
            raise Unfollowed(f"it declares accounts in `{name}`")
        real = shell.real(f"/usr/lib/sysusers.d/{name}")
        if shell.tree.get(real) is None:
            return 1
        shell.system.add_accounts(sysusers(decoded(shell.tree.read(real)), name))
    return 0 if names else 1


USERS: Mapping[str, Program] = {
    **{command: _accounts(command) for command in sorted(ACCOUNT_COMMANDS)},
    "getent": _getent,
    "id": _id,
    "shadowconfig": _shadowconfig,
    "systemd-sysusers": _systemd_sysusers,
}
"""The programs by their names."""
