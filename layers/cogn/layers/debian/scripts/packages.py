"""dpkg's own programs as scripts call them (dpkg(1), dpkg-divert(1), update-alternatives(1))."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from debian.debian_support import version_compare

from cogn.layers.debian.alternatives import Alternative
from cogn.layers.debian.overrides import STATOVERRIDE, Override, statoverride
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.options import options
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded, encoded
from cogn.layers.entry import Bytes, Entry

__all__ = ["PACKAGES"]

_DIVERSIONS = "var/lib/dpkg/diversions"
_VERSION = re.compile(r"[A-Za-z0-9.+~:-]*")
_RELATIONS: Mapping[str, Callable[[int], bool]] = {
    "lt": lambda sign: sign < 0,
    "le": lambda sign: sign <= 0,
    "eq": lambda sign: sign == 0,
    "ne": lambda sign: sign != 0,
    "ge": lambda sign: sign >= 0,
    "gt": lambda sign: sign > 0,
    "<<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    "=": lambda sign: sign == 0,
    ">=": lambda sign: sign >= 0,
    ">>": lambda sign: sign > 0,
    "<": lambda sign: sign <= 0,
    ">": lambda sign: sign >= 0,
}


def _dpkg(shell: Shell, arguments: list[str], streams: Streams) -> int:
    match [each for each in arguments if each != "--"]:
        case ["--compare-versions", left, relation, right]:
            return int(not _compared(left, relation, right))
        case ["--print-architecture"]:
            streams.print(f"{shell.system.architecture}\n")
            return 0
        case ["--print-foreign-architectures"]:
            return 0
        case ["-L" | "--listfiles", *names]:
            return _list(shell, names, streams)
        case ["-s" | "--status", *names]:
            return _status(shell, names, streams)
        case [word] if word.startswith(("--assert-", "--validate-")):
            return 0
    raise Unfollowed(f"it calls `dpkg {' '.join(arguments)}`")


def _compared(left: str, relation: str, right: str) -> bool:
    """Tell whether dpkg finds the relation of two versions; an empty one is the earliest.

    With ``-nl`` behind the relation an empty version is the latest.
    """
    late = relation.endswith("-nl")
    relation = relation.removesuffix("-nl")
    if relation not in _RELATIONS or not all(map(_VERSION.fullmatch, (left, right))):
        raise Unfollowed(f"it compares `{left} {relation} {right}`")
    if left and right:
        try:
            sign = version_compare(left, right)
        except ValueError as error:
            raise Unfollowed(f"it compares `{left} {relation} {right}`") from error
    else:
        sign = (bool(left) - bool(right)) * (-1 if late else 1)
    return _RELATIONS[relation](sign)


def _list(shell: Shell, names: list[str], streams: Streams) -> int:
    status = 0
    for name in names:
        package = name.partition(":")[0]
        if package in shell.system.installed:
            paths = shell.tree.paths(package)
            streams.print("/.\n" + "".join(f"/{path}\n" for path in paths))
        else:
            status = 1
    return status


def _status(shell: Shell, names: list[str], streams: Streams) -> int:
    status = 0
    for name in names:
        package = shell.system.installed.get(name.partition(":")[0])
        if package is None:
            status = 1
            continue
        streams.print(
            f"Package: {package.name}\nStatus: install ok installed\n"
            f"Architecture: {package.architecture}\nVersion: {package.version}\n"
        )
    return status


def _query(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments, "WLlsf:S", ("show", "list", "showformat=", "listfiles", "status", "control-path")
    )
    named = dict(given)
    if "-S" in named:
        return _search(shell, words, streams)
    if named.keys() & {"-l", "--list"}:
        named["-W"] = ""
        named["-f"] = "ii  ${Package} ${Version} ${Architecture}\n"
    if named.keys() & {"-L", "--listfiles"}:
        return _list(shell, words, streams)
    if named.keys() & {"-s", "--status"}:
        return _status(shell, words, streams)
    if "--control-path" in named and words[0].partition(":")[0] not in shell.system.installed:
        return 1
    if not named.keys() & {"-W", "--show"}:
        raise Unfollowed(f"it calls `dpkg-query {' '.join(arguments)}`")
    form = named.get("-f", named.get("--showformat", "${Package}\t${Version}\n"))
    status = 0
    for word in words:
        package = shell.system.installed.get(word.partition(":")[0])
        if package is None:
            status = 1
            continue
        values = {
            "Package": package.name,
            "binary:Package": package.name,
            "Version": package.version,
            "Architecture": package.architecture,
            "Status": "install ok installed",
            "db:Status-Status": "installed",
            "db:Status-Abbrev": "ii ",
            "db:Status-Want": "install",
        }
        if set(re.findall(r"\$\{([^}]*)\}", form)) - values.keys():
            raise Unfollowed(f"it asks dpkg for `{form}`")
        pieces = re.split(r"\$\{([^}]*)\}", form)
        text = "".join(values[piece] if n % 2 else piece for n, piece in enumerate(pieces))
        streams.print(text.replace("\\n", "\n").replace("\\t", "\t"))
    return status


def _search(shell: Shell, words: list[str], streams: Streams) -> int:
    status = 0
    for word in words:
        if set(word) & set("*?[") or not word.startswith("/"):
            raise Unfollowed(f"it searches for the packages with `{word}`")
        paths = {shell.real(word, follow=False), shell.real(word)}
        owners = [
            name
            for name in shell.system.installed
            if any(shell.tree.owns(name, path) for path in paths)
        ]
        streams.print(f"{', '.join(sorted(owners))}: {word}\n" if owners else "")
        status |= not owners
    return status


def _maintscript_helper(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow dpkg-maintscript-helper(1), all of whose commands are about upgrades."""
    if arguments[:1] == ["supports"]:
        return 0
    known = {"rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink"}
    if not arguments or arguments[0] not in known or "--" not in arguments:
        raise Unfollowed("it calls dpkg-maintscript-helper in a way that is not known")
    script = arguments[arguments.index("--") + 1 :]
    return 0 if script[:1] in (["configure"], ["install"]) and not "".join(script[1:2]) else 1


def _divert(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments,
        "",
        (
            *("add", "remove", "list", "listpackage=", "truename=", "divert=", "package="),
            *("local", "rename", "no-rename", "quiet", "root=", "admindir="),
        ),
    )
    named = dict(given)
    diversions = _diversions(shell)
    if "--truename" in named:
        path = named["--truename"]
        streams.print(f"{diversions.get(path, (path, ''))[0]}\n")
        return 0
    if "--listpackage" in named:
        if diversion := diversions.get(named["--listpackage"]):
            owner = "LOCAL" if diversion[1] == ":" else diversion[1]
            streams.print(f"{owner}\n")
        return 0
    if "--list" in named:
        if any(path in words or not words for path in diversions):
            raise Unfollowed("it lists diversions")
        return 1
    if len(words) != 1 or not words[0].startswith("/"):
        raise Unfollowed(f"it calls `dpkg-divert {' '.join(arguments)}`")
    path = words[0]
    if "--remove" in named:
        if path not in diversions:
            return 0
        if "--rename" in named and shell.node(diversions[path][0], follow=False) is not None:
            raise Unfollowed(f"it moves `{path}` back")
        return _divert_all(shell, {key: each for key, each in diversions.items() if key != path})
    owner = ":" if "--local" in named else named.get("--package") or _package(shell)
    target = named.get("--divert", f"{path}.distrib")
    if diversions.get(path, (target, owner)) != (target, owner):
        return 2
    node = shell.node(path, follow=False)
    if "--rename" in named and node is not None and not shell.tree.owns(owner, node.path):
        raise Unfollowed(f"it moves `{path}` out of the way")
    return _divert_all(shell, diversions | {path: (target, owner)})


def _diversions(shell: Shell) -> dict[str, tuple[str, str]]:
    """Return where diverted paths lead to, and for which package."""
    if shell.tree.get(_DIVERSIONS) is None:
        return {}
    lines = decoded(shell.tree.read(_DIVERSIONS)).splitlines()
    return {
        path: (target, owner)
        for path, target, owner in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
    }


def _divert_all(shell: Shell, diversions: Mapping[str, tuple[str, str]]) -> int:
    lines = (line for path, (target, owner) in diversions.items() for line in (path, target, owner))
    text = "".join(f"{line}\n" for line in lines)
    shell.tree.make_parents(_DIVERSIONS)
    shell.tree.put(Entry.file(_DIVERSIONS, Bytes(encoded(text))))
    return 0


def _package(shell: Shell) -> str:
    return shell.variables.get("DPKG_MAINTSCRIPT_PACKAGE", "")


def _realpath(shell: Shell, arguments: list[str], streams: Streams) -> int:
    streams.print(f"/{shell.real(arguments[-1] if arguments else '/')}\n")
    return 0


def _statoverride(shell: Shell, arguments: list[str], streams: Streams) -> int:
    tree = shell.tree
    before = tree.read(STATOVERRIDE) if tree.get(STATOVERRIDE) is not None else b""
    known = {override.path for override in Override.read(before)}
    words = [each for each in arguments if not each.startswith("--")]
    if "--list" in arguments:
        if len(words) != 1 or set(words[0]) & set("*?["):
            raise Unfollowed("it lists overrides")
        return int(words[0] not in known)
    override = Override.parse(arguments)
    if override.path in known:
        return 2
    node = shell.node(override.path, follow=False)
    if override.updates and node is not None:
        tree.change(override.apply(node, shell.system.accounts()))
    tree.make_parents(STATOVERRIDE)
    tree.put(statoverride([override], before))
    return 0


def _alternatives(shell: Shell, arguments: list[str], streams: Streams) -> int:
    words = [each for each in arguments if each not in {"--quiet", "--force", "--verbose"}]
    registered = shell.system.alternatives
    match words:
        case ["--install", *_]:
            if "" in words:
                raise Unfollowed("it registers an alternative with empty words")
            alternative = Alternative.parse(words)
            if shell.node(alternative.path) is None:
                return 2
            shell.system.add_alternative(alternative)
            return 0
        case ["--remove", _, path] if not any(each.path == path for each in registered):
            return 0  # also on a base, where only the package that goes removes it
        case ["--list" | "--query" | "--display" as question, name]:
            return _choices(shell, question, name, streams)
        case ["--auto", name] if not any(each.name == name for each in registered):
            return 2
        case ["--remove-all", name] if not any(each.name == name for each in registered):
            return 2
    raise Unfollowed(f"it calls `update-alternatives {' '.join(arguments)}`")


def _choices(shell: Shell, question: str, name: str, streams: Streams) -> int:
    """Print the choices of a group as far as scripts look at them."""
    base = shell.system.base
    if base is not None and base.has(f"var/lib/dpkg/alternatives/{name}"):
        raise Unfollowed(f"it asks for the alternative `{name}` of the base image")
    choices = {each.path: each for each in shell.system.alternatives if each.name == name}
    if not choices:
        return 2
    if question == "--display":
        raise Unfollowed(f"it asks for the alternative `{name}`")
    if question == "--query":
        best = max(choices.values(), key=lambda each: each.priority)
        streams.print(
            f"Name: {name}\nLink: {best.link}\nStatus: auto\nBest: {best.path}\n"
            f"Value: {best.path}\n"
        )
    for path, choice in sorted(choices.items()):
        line = f"\nAlternative: {path}\nPriority: {choice.priority}\n"
        streams.print(line if question == "--query" else f"{path}\n")
    return 0


PACKAGES: Mapping[str, Program] = {
    "dpkg": _dpkg,
    "dpkg-divert": _divert,
    "dpkg-maintscript-helper": _maintscript_helper,
    "dpkg-query": _query,
    "dpkg-realpath": _realpath,
    "dpkg-statoverride": _statoverride,
    "update-alternatives": _alternatives,
}
"""The programs by their names."""
