"""Programs that have no effect on the files of an image, or whose effect comes at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams

__all__ = ["SERVICES"]


def _nothing(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 0


def _fails(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 1


def _wants(name: str) -> Program:
    """Return a program whose work on the files of all packages is done once, at the end."""

    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        shell.system.wanted.add(name)
        return 0

    return program


def _systemd_helper(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow deb-systemd-helper(1) as if no unit were: no init runs in a container."""
    return 1 if "was-enabled" in arguments or "is-enabled" in arguments else 0


def _systemctl(shell: Shell, arguments: list[str], streams: Streams) -> int:
    words = [each for each in arguments if not each.startswith("-")]
    if words[:1] in (["enable"], ["daemon-reload"], ["preset"], ["unmask"], ["mask"]):
        return 0
    return 1  # there is no manager that could answer


def _invoke(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow invoke-rc.d(8) where a policy forbids to start anything, as in every chroot."""
    return 3 if "status" in arguments else 0


def _uname(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments in ([], ["-s"]):
        streams.print("Linux\n")
        return 0
    if arguments == ["-r"]:
        streams.print("6.1.0\n")  # as old as the oldest that is supported: asked to refuse older
        return 0
    raise Unfollowed(f"it calls `uname {' '.join(arguments)}`")


def _mountpoint(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return int(arguments[-1:] not in (["/proc"], ["/sys"], ["/dev"]))


def _date(shell: Shell, arguments: list[str], streams: Streams) -> int:
    streams.print("Thu Jan  1 00:00:00 UTC 1970\n")  # for messages: a file with it is no effect
    return 0


def _python(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow the compiling of modules, whose bytecode has layers of its own."""
    if any(re.search(r"(^|/)py_compile\.py$", each) for each in arguments):
        return 0
    raise Unfollowed("it runs Python")


def _run_parts(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if len(arguments) != 1:
        raise Unfollowed(f"it calls `run-parts {' '.join(arguments)}`")
    status = 0
    for name in shell.tree.names(shell.real(arguments[0])):
        path = f"{arguments[0]}/{name}"
        node = shell.node(path)
        if re.fullmatch("[A-Za-z0-9_-]+", name) and node is not None and node.mode & 0o111:
            status |= shell.call(path, [], streams)
    return status


def _java(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if "-Xshare:dump" not in arguments:  # which saves time at the start
        raise Unfollowed("it runs Java")
    return 0


def _perl(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments != ["-e", ""]:  # whether it runs at all
        raise Unfollowed("it runs Perl")
    return 0


SERVICES: Mapping[str, Program] = {
    **dict.fromkeys(
        (
            *("dpkg-trigger", "deb-systemd-invoke", "update-rc.d", "journalctl", "udevadm"),
            *("py3compile", "pypy3compile", "py3clean", "pyclean", "pycompile"),
            *("update-binfmts", "restorecon", "sleep", "sync", "sysctl", "apt-config"),
            *("systemd-hwdb", "update-initramfs", "update-menus", "logger", "systemd-notify"),
            *("update-icon-caches", "gtk-update-icon-cache", "update-desktop-database"),
            *("update-mime-database", "fc-cache", "ischroot", "clear_console", "modprobe"),
            *("update-mime", "runit-helper", "locale-gen", "gtk-query-immodules-3.0"),
            *("helpztags", "mandb", "mkfontscale", "mkfontdir", "update-fonts-alias"),
            *("update-fonts-dir", "update-fonts-scale"),
            # No service listens, and an image has no host keys: who starts sshd makes them.
            *("ss", "sshd", "ssh-keygen"),
        ),
        _nothing,
    ),
    **dict.fromkeys(
        ("pidof", "pgrep", "pkill", "killall", "service", "locale", "tty", "stty"), _fails
    ),
    **{
        name: _wants(name)
        for name in (
            *("ldconfig", "update-ca-certificates", "pam-auth-update"),
            "glib-compile-schemas",
        )
    },
    **{f"python3.{minor}": _python for minor in range(9, 16)},
    "date": _date,
    "deb-systemd-helper": _systemd_helper,
    "invoke-rc.d": _invoke,
    "mountpoint": _mountpoint,
    "java": _java,
    "perl": _perl,
    "run-parts": _run_parts,
    "systemctl": _systemctl,
    "uname": _uname,
}
"""The programs by their names."""
