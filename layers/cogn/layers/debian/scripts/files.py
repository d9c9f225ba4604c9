"""The programs that make, move and find files: mkdir(1), ln(1), cp(1), find(1) and their like."""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from cogn.layers.debian.overrides import chmod
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.expansion import fits
from cogn.layers.debian.scripts.options import options
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams
from cogn.layers.entry import Bytes, Entry, Kind

__all__ = ["FILES", "make_directory", "put_entry", "target_path"]

_TEMPORARY = "tmp"


def put_entry(shell: Shell, entry: Entry) -> int:
    """Put an entry where there is a directory for it; the status says whether there was."""
    parent = shell.tree.get(posixpath.dirname(entry.path))
    if parent is None or parent.kind is not Kind.DIRECTORY:
        return 1
    shell.tree.put(entry)
    return 0


def _mkdir(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "pm:vZ", ("parents", "mode=", "verbose"))
    named = dict(given)
    parents = bool(named.keys() & {"-p", "--parents"})
    mode = named.get("-m", named.get("--mode"))
    status = 0
    for word in words:
        status |= make_directory(shell, shell.real(word), mode, parents=parents)
    return status


def make_directory(shell: Shell, real: str, mode: str | None, *, parents: bool) -> int:
    """Make a directory as mkdir(1) does, with those above it where `parents`; return its status."""
    node = shell.tree.get(real)
    if node is not None:
        return 0 if parents and node.kind is Kind.DIRECTORY else 1
    above = posixpath.dirname(real)
    if parents and above and shell.tree.get(above) is None:
        make_directory(shell, above, None, parents=True)
    entry = Entry.directory(real, 0o777 & ~shell.umask)
    return put_entry(shell, chmod(entry, mode) if mode else entry)


def _rmdir(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "p", ("ignore-fail-on-non-empty", "parents"))
    tolerant = ("--ignore-fail-on-non-empty", "") in given
    status = 0
    for word in words:
        real = shell.real(word, follow=False)
        node = shell.tree.get(real)
        if node is None or node.kind is not Kind.DIRECTORY:
            status = 1
        elif shell.tree.names(real):
            status |= not tolerant
        else:
            shell.tree.remove(real)
    return status


def _rm(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "rRfdv", ("force", "recursive", "verbose"))
    names = {name for name, _ in given}
    status = 0
    for word in words:
        real = shell.real(word, follow=False)
        node = shell.tree.get(real)
        if node is None:
            status |= not names & {"-f", "--force"}
            continue
        if node.kind is Kind.DIRECTORY:
            if not names & {"-r", "-R", "--recursive"}:
                status = 1
                continue
            for below in reversed(shell.tree.below(real)):
                shell.tree.remove(below.path)
        shell.tree.remove(real)
    return status


def _touch(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments, "achmr:d:t:", ("no-dereference", "reference=", "no-create", "date=")
    )
    creates = not {name for name, _ in given} & {"-c", "-h", "--no-create", "--no-dereference"}
    for word in words:
        real = shell.real(word)
        if creates and shell.tree.get(real) is None:
            entry = Entry(path=real, kind=Kind.FILE, mode=0o666 & ~shell.umask)
            if put_entry(shell, entry):
                return 1
    return 0


def _ln(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments,
        "sfnrvTt:",
        ("symbolic", "force", "no-dereference", "relative", "no-target-directory"),
    )
    names = {name for name, _ in given}
    follow = not names & {"-n", "--no-dereference", "-T", "--no-target-directory"}
    if not names & {"-s", "--symbolic"} or "-t" in names or not words:
        raise Unfollowed("it makes hard links")
    if len(words) == 1:
        words = [*words, "."]
    *targets, link = words
    real = shell.real(link, follow=False)
    node = shell.node(link, follow=follow)
    into = node is not None and node.kind is Kind.DIRECTORY
    if len(targets) > 1 and not into:
        return 1
    for target in targets:
        path = real
        if into:
            path = posixpath.join(shell.real(link), posixpath.basename(target.rstrip("/")))
        before = shell.tree.get(path)
        if before is not None and not names & {"-f", "--force"}:
            return 1
        if names & {"-r", "--relative"}:
            target = posixpath.relpath(f"/{shell.real(target)}", f"/{posixpath.dirname(path)}")
        if before is not None and (before.kind, before.target) == (Kind.SYMLINK, target):
            continue
        if put_entry(shell, Entry.symlink(path, target)):
            return 1
    return 0


def _cp(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments,
        "afpdPnruvZLT",
        ("archive", "force", "no-clobber", "preserve", "no-dereference", "update"),
    )
    names = {name for name, _ in given}
    if len(words) < 2:
        return 1
    *sources, target = words
    status = 0
    for source in sources:
        follow = not names & {"-a", "--archive", "-d", "-P", "--no-dereference"}
        node = shell.node(source, follow=follow)
        if node is None:
            status = 1
            continue
        if node.kind is Kind.DIRECTORY:
            raise Unfollowed(f"it copies the directory `{source}`")
        path = target_path(shell, source, target)
        before = shell.tree.get(path)
        if before is not None and names & {"-n", "--no-clobber"}:
            continue
        if node.kind is Kind.SYMLINK:
            status |= put_entry(shell, replace(node, path=path))
            continue
        data = Bytes(shell.tree.read(node.path))
        if names & {"-a", "--archive", "-p", "--preserve"}:
            copied = replace(node, path=path, content=data)
        elif before is not None and before.kind is Kind.FILE:
            copied = replace(before, content=data)
        else:
            mode = node.mode & 0o777 & ~shell.umask
            copied = Entry(path=path, kind=Kind.FILE, mode=mode, content=data)
        status |= put_entry(shell, copied)
    return status


def target_path(shell: Shell, source: str, target: str) -> str:
    """Return the real path of a copy: below the target, if that is a directory."""
    node = shell.node(target)
    if node is not None and node.kind is Kind.DIRECTORY:
        return posixpath.join(node.path, posixpath.basename(source.rstrip("/")))
    return shell.real(target)


def _mv(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "fnvTZ", ("force", "no-clobber", "verbose"))
    if len(words) != 2:
        raise Unfollowed("it moves several files")
    source, target = words
    node = shell.node(source, follow=False)
    if node is None:
        return 1
    if node.kind is Kind.DIRECTORY:
        raise Unfollowed(f"it moves the directory `{source}`")
    path = shell.real(target, follow=False)
    into = shell.node(target)
    if into is not None and into.kind is Kind.DIRECTORY:
        path = posixpath.join(into.path, posixpath.basename(source))
    if shell.tree.get(path) is not None and {name for name, _ in given} & {"-n", "--no-clobber"}:
        return 0
    content = Bytes(shell.tree.read(node.path)) if node.kind is Kind.FILE else node.content
    shell.tree.remove(node.path)
    return put_entry(shell, replace(node, path=path, content=content))


def _mktemp(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "dqtp:u", ("directory", "tmpdir"))
    names = {name for name, _ in given}
    if len(words) > 1 or names - {"-d", "--directory", "-q", "-t"}:
        raise Unfollowed("it names a temporary file in a way that is not known")
    template = words[0] if words else "tmp.XXXXXXXXXX"
    if not words or "-t" in names:
        template = f"/{_TEMPORARY}/{template}"
    number = 0
    while shell.node(path := re.sub("X{3,}$", _letters(number), template)) is not None:
        number += 1
    if path == template:
        return 1
    real = shell.real(path)
    shell.tree.make_parents(real)
    if names & {"-d", "--directory"}:
        shell.tree.put(Entry.directory(real, 0o700))
    else:
        shell.tree.put(Entry(path=real, kind=Kind.FILE, mode=0o600))
    streams.print(f"{path}\n")
    return 0


def _letters(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:10]


def _readlink(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(
        arguments, "fenmqsv", ("canonicalize", "canonicalize-existing", "no-newline", "quiet")
    )
    names = {name for name, _ in given}
    status = 0
    for word in words:
        if names & {"-f", "-e", "-m", "--canonicalize", "--canonicalize-existing"}:
            real = shell.real(word)
            missing = posixpath.dirname(real) if names & {"-f", "--canonicalize"} else real
            if "-m" not in names and shell.tree.get(missing) is None:
                status = 1
                continue
            text = f"/{real}"
        else:
            node = shell.node(word, follow=False)
            if node is None or node.kind is not Kind.SYMLINK:
                status = 1
                continue
            text = node.target
        streams.print(text if names & {"-n", "--no-newline"} else f"{text}\n")
    return status


def _realpath(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "emsq", ("no-symlinks", "strip", "canonicalize-missing"))
    names = {name for name, _ in given}
    for word in words:
        path = posixpath.normpath(posixpath.join(shell.directory, word))
        if not names & {"-s", "--strip", "--no-symlinks"}:
            path = f"/{shell.real(word)}"
        if "-e" in names and shell.node(path) is None:
            return 1
        streams.print(f"{path}\n")
    return 0


def _ls(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "Ld1A", ())
    status = 0
    for word in words or ["."]:
        node = shell.node(word)
        if node is None:
            status = 2
        elif node.kind is Kind.DIRECTORY and ("-d", "") not in given:
            names = shell.tree.names(node.path)
            streams.print("".join(f"{n}\n" for n in names if not n.startswith(".")))
        else:
            streams.print(f"{word}\n")
    return status


def _find(shell: Shell, arguments: list[str], streams: Streams) -> int:
    paths = list(itertools.takewhile(lambda word: word[:1] not in {"-", "!", "("}, arguments))
    tests = arguments[len(paths) :]
    kinds = {"f": Kind.FILE, "d": Kind.DIRECTORY, "l": Kind.SYMLINK}
    names: list[str] = []
    chosen: Kind | None = None
    deepest = 1 << 16
    while tests:
        match tests:
            case ["-type", letter, *rest] if letter in kinds:
                chosen = kinds[letter]
            case ["-name", pattern, *rest]:
                names.append(pattern)
            case ["-maxdepth", number, *rest] if re.fullmatch("[0-9]{1,4}", number):
                deepest = int(number)
            case ["-print", *rest] if not rest:
                pass
            case _:
                raise Unfollowed(f"it calls `find {' '.join(arguments)}`")
        tests = rest
    status = 0
    for path in paths or ["."]:
        root = shell.node(path, follow=False)
        if root is None:
            status = 1
            continue
        for entry in [root, *(shell.tree.below(root.path) if root.kind is Kind.DIRECTORY else ())]:
            inside = entry.path[len(root.path) :]
            if root.path == "" and inside:
                inside = f"/{inside}"
            is_named = all(
                fits(tuple((char, False) for char in name), posixpath.basename(entry.path))
                for name in names
            )
            if is_named and chosen in {None, entry.kind} and inside.count("/") <= deepest:
                streams.print(f"{path.rstrip('/') if inside else path}{inside}\n")
    return status


FILES: Mapping[str, Program] = {
    "cp": _cp,
    "find": _find,
    "ln": _ln,
    "ls": _ls,
    "mkdir": _mkdir,
    "mktemp": _mktemp,
    "mv": _mv,
    "readlink": _readlink,
    "realpath": _realpath,
    "rm": _rm,
    "rmdir": _rmdir,
    "touch": _touch,
}
"""The programs by their names."""
