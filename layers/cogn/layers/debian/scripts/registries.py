"""The programs that keep lists: of shells, of configuration files (ucf(1)), of sizes of paper."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.options import options
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded, encoded
from cogn.layers.debian.scripts.system import TRIPLETS
from cogn.layers.entry import Bytes, Entry, Kind

__all__ = ["REGISTRIES"]


def _shells(add: bool) -> Program:
    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        path = "etc/shells"
        lines = decoded(shell.tree.read(path)).splitlines() if shell.tree.get(path) else []
        for word in arguments:
            if add and word not in lines:
                lines.append(word)
            elif not add and word in lines:
                lines.remove(word)
        shell.write(path, encoded("".join(f"{line}\n" for line in lines)))
        return 0

    return program


def _update_shells(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow update-shells(8): the shells that packages name, under both their paths."""
    tree, path, state = shell.tree, "etc/shells", "var/lib/shells.state"
    template, directory = "usr/share/debianutils/shells", "usr/share/debianutils/shells.d"

    def lines(path: str) -> list[str]:
        return decoded(tree.read(path)).splitlines() if tree.get(path) is not None else []

    named: dict[str, None] = {}
    for file in (template, *(f"{directory}/{name}" for name in tree.names(directory))):
        for line in lines(file):
            if each := line.partition("#")[0]:
                parent, name = posixpath.split(each)
                named[each] = None
                named[posixpath.join(f"/{tree.real(parent)}", name)] = None
    removed = {each for each in lines(state) if each not in named}
    kept = [each for each in lines(path) or lines(template) if each not in removed]
    kept += [each for each in named if each not in kept and each not in lines(state)]
    shell.write(path, encoded("".join(f"{each}\n" for each in kept)))
    tree.make_parents(state)
    shell.write(state, encoded("".join(f"{each}\n" for each in named)))
    return 0


def _uuidgen(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Leave the identity of a machine to the machine (machine-id(5)): an image has none."""
    return 0


def _paperconf(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments or shell.find("paperconf") is None:
        raise Unfollowed("it asks for a size of paper")
    path = "etc/papersize"
    lines = decoded(shell.tree.read(path)).splitlines() if shell.tree.get(path) else []
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    streams.print(f"{(named or ['a4'])[0]}\n")
    return 0


def _ucf(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow ucf(1) for a file that is not there yet: it becomes a copy, and its sum is noted."""
    given, words = options(
        arguments,
        "vd:s:np",
        (
            *("three-way", "debconf-ok", "debconf-template=", "sum-file=", "src-dir="),
            *("no-action", "purge", "verbose", "state-dir="),
        ),
    )
    names = {name for name, _ in given}
    if names & {"-p", "--purge"} and len(words) == 1:
        return _forget(shell, "var/lib/ucf/hashfile", words[0])
    if len(words) != 2 or names & {"-n", "-p", "--no-action", "--purge"}:
        raise Unfollowed(f"it calls `ucf {' '.join(arguments)}`")
    source, target = words
    node, real = shell.node(source), shell.real(target)
    if node is None or node.kind is not Kind.FILE:
        return 1
    data = shell.tree.read(node.path)
    before = shell.tree.get(real)
    if before is None:
        shell.tree.make_parents(real)
        shell.tree.put(Entry(path=real, kind=Kind.FILE, mode=node.mode, content=Bytes(data)))
    elif shell.tree.read(real) != data:
        raise Unfollowed(f"it changes `{target}`, which is there already")
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    _register(shell, "var/lib/ucf/hashfile", target, f"{digest}  {target}")
    cached = f"var/lib/ucf/cache/{target.replace('/', ':')}"
    shell.tree.make_parents(cached)
    shell.tree.put(Entry(path=cached, kind=Kind.FILE, mode=node.mode, content=Bytes(data)))
    return 0


def _ucfr(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "fvp", ("force", "verbose", "purge"))
    if len(words) == 2 and {name for name, _ in given} & {"-p", "--purge"}:
        return _forget(shell, "var/lib/ucf/registry", words[1])
    if len(words) != 2:
        raise Unfollowed(f"it calls `ucfr {' '.join(arguments)}`")
    package, path = words
    _register(shell, "var/lib/ucf/registry", path, f"{package} \t {path}")
    return 0


def _forget(shell: Shell, register: str, path: str) -> int:
    if shell.tree.get(register) is not None:
        lines = decoded(shell.tree.read(register)).splitlines()
        kept = [line for line in lines if line.split()[-1:] != [path]]
        if kept != lines:
            shell.write(register, encoded("".join(f"{line}\n" for line in kept)))
    return 0


def _register(shell: Shell, register: str, path: str, line: str) -> None:
    text = decoded(shell.tree.read(register)) if shell.tree.get(register) else ""
    lines = [each for each in text.splitlines() if each.split()[-1:] != [path]]
    shell.tree.make_parents(register)
    shell.write(register, encoded("".join(f"{each}\n" for each in [*lines, line])))


def _emacs_package_install(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Note that a package waits for an Emacs; without one, nothing else is done."""
    match arguments:
        case ["--postinst", name] if shell.find("emacs") is None:
            path = f"var/lib/emacsen-common/state/package/installed/{name}"
            shell.tree.make_parents(path)
            shell.tree.put(Entry.file(path, Bytes(b"")))
            return 0
        case ["--preinst", _]:
            return 0
    raise Unfollowed("it sets up a package of Emacs")


def _pkg_config_hook(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments != ["update"]:
        raise Unfollowed("it removes links of pkg-config")
    link = f"usr/bin/{TRIPLETS[shell.system.architecture]}-pkg-config"
    if shell.tree.get(link) is None:
        shell.tree.put(Entry.symlink(link, "/usr/share/pkg-config-crosswrapper"))
    return 0


REGISTRIES: Mapping[str, Program] = {
    "add-shell": _shells(add=True),
    "dbus-uuidgen": _uuidgen,
    "emacs-package-install": _emacs_package_install,
    "paperconf": _paperconf,
    "pkg-config-dpkghook": _pkg_config_hook,
    "remove-shell": _shells(add=False),
    "systemd-machine-id-setup": _uuidgen,
    "ucf": _ucf,
    "ucfr": _ucfr,
    "update-shells": _update_shells,
}
"""The programs by their names."""
