"""Following the scripts of the packages of a new system, as dpkg and apt would run them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cogn.layers.debian.deb import DebFile
from cogn.layers.debian.scripts.builtins import BUILTINS
from cogn.layers.debian.scripts.effects import EFFECTS
from cogn.layers.debian.scripts.errors import ScriptError, Unfollowed
from cogn.layers.debian.scripts.files import FILES
from cogn.layers.debian.scripts.known import generated, known
from cogn.layers.debian.scripts.metadata import METADATA
from cogn.layers.debian.scripts.packages import PACKAGES
from cogn.layers.debian.scripts.plugins import PLUGINS
from cogn.layers.debian.scripts.refused import REFUSED
from cogn.layers.debian.scripts.registries import REGISTRIES
from cogn.layers.debian.scripts.services import SERVICES
from cogn.layers.debian.scripts.shell import Program, Shell, is_shell_script
from cogn.layers.debian.scripts.streams import Streams, decoded
from cogn.layers.debian.scripts.system import Installed, System
from cogn.layers.debian.scripts.text import TEXT
from cogn.layers.debian.scripts.tmpfiles import TMPFILES
from cogn.layers.debian.scripts.users import USERS
from cogn.layers.errors import DebError

__all__ = ["PROGRAMS", "follow", "in_order"]

PROGRAMS: Mapping[str, Program] = {
    **SERVICES,
    **TEXT,
    **FILES,
    **METADATA,
    **USERS,
    **REGISTRIES,
    **PACKAGES,
    **PLUGINS,
    **TMPFILES,
    **BUILTINS,
}
"""All commands that are known, by their names."""

_CONFMODULE = "/usr/share/debconf/confmodule"
_ARGUMENTS = {"preinst": ["install"], "config": ["configure", ""], "postinst": ["configure", ""]}


def follow(packages: Sequence[DebFile], system: System, unrun: Collection[str] = ()) -> None:
    """Follow the scripts that set up `packages` on a new system, in the order that apt has.

    All of them are unpacked before the first is configured. Those whose names are in `unrun` are
    left out. Raises `ScriptError` for a script that cannot be followed.
    """
    by_name = {package.fields["Package"]: package for package in packages}
    ordered = [
        by_name[name] for name in in_order(system.installed) if name in by_name.keys() - set(unrun)
    ]
    for package in ordered:
        with system.tree.without(package.fields["Package"]):
            _run(package, "preinst", system)
    for package in ordered:
        if templates := package.files.get("templates"):
            system.questions.load(templates.data.decode("utf-8", "replace"))
        postinst = package.files.get("postinst")
        text = "" if postinst is None else decoded(postinst.data)
        if _CONFMODULE in text and known(package.fields["Package"], "postinst", text) is None:
            _run(package, "config", system)
        _run(package, "postinst", system)


def in_order(installed: Mapping[str, Installed]) -> list[str]:
    """Return the names of packages, each after those that it depends on; cycles break by name."""
    order: dict[str, None] = {}
    visited: set[str] = set()
    for first in sorted(installed):
        stack = [(first, False)]
        while stack:
            name, done = stack.pop()
            if done:
                order[name] = None
            elif name in installed and name not in visited:
                visited.add(name)
                stack.append((name, True))
                stack += [(each, False) for each in sorted(installed[name].depends, reverse=True)]
    return list(order)


def _run(package: DebFile, script: str, system: System) -> None:
    file = package.files.get(script)
    if file is None:
        return
    name, text = package.fields["Package"], decoded(file.data)
    try:
        if reason := REFUSED.get(name):
            raise Unfollowed(reason)
        row = known(name, script, text)
        if row is not None:
            EFFECTS[row.effect](system)
            text = generated(text)
        elif not is_shell_script(text):
            raise Unfollowed(f"it is written for `{text.partition(chr(10))[0][2:].strip()}`")
        status = _shell(package, script, text, system).run(text, Streams())
        if status != 0:
            raise Unfollowed(f"it would end with status {status}")
        if system.tree.lost:
            raise Unfollowed(f"it removes `/{min(system.tree.lost)}`")
    except (Unfollowed, DebError) as error:
        raise ScriptError(package.name, script, str(error), text) from error


def _shell(package: DebFile, script: str, text: str, system: System) -> Shell:
    name, architecture = package.fields["Package"], package.fields["Architecture"]
    variables = {
        "0": f"/var/lib/dpkg/info/{name}.{script}",
        "DEBIAN_FRONTEND": "noninteractive",
        "DPKG_MAINTSCRIPT_ARCH": system.architecture if architecture == "all" else architecture,
        "DPKG_MAINTSCRIPT_NAME": script,
        "DPKG_MAINTSCRIPT_PACKAGE": name,
        "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
        "HOME": "/root",
        "IFS": " \t\n",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD": "/",
    }
    shell = Shell(system, PROGRAMS, list(_ARGUMENTS[script]), variables)
    first = text.partition("\n")[0].split()
    if any(word.startswith("-") and "e" in word for word in first[1:]):
        shell.options.add("e")
    return shell
