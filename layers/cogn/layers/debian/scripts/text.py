"""The programs that scripts pass text through: cat(1), grep(1), cut(1) and their like."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.options import options
from cogn.layers.debian.scripts.regex import Regex
from cogn.layers.debian.scripts.sed import sed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams, decoded, encoded
from cogn.layers.entry import Kind

__all__ = ["TEXT"]


def _contents(shell: Shell, paths: list[str], streams: Streams) -> list[str] | None:
    """Return the texts of files, or the input without any; None when one is not there."""
    texts = []
    for path in paths or ["-"]:
        if path == "-":
            texts.append(streams.input.rest())
            continue
        if path == "/dev/null":
            continue
        node = shell.node(path)
        if node is None or node.kind is not Kind.FILE:
            return None
        texts.append(shell.budget.hold(decoded(shell.tree.read(shell.real(path)))))
    return texts


def _lines(shell: Shell, paths: list[str], streams: Streams) -> list[str] | None:
    texts = _contents(shell, paths, streams)
    return None if texts is None else "".join(texts).splitlines()


def _cat(shell: Shell, arguments: list[str], streams: Streams) -> int:
    texts = _contents(shell, arguments, streams)
    if texts is None:
        return 1
    streams.print("".join(texts))
    return 0


def _grep(kind: str) -> Program:
    def grep(shell: Shell, arguments: list[str], streams: Streams) -> int:
        given, words = options(arguments, "EFGivqswxcnoze:", ("quiet", "regexp=", "fixed-strings"))
        names = {name for name, _ in given}
        patterns = [value for name, value in given if name in {"-e", "--regexp"}]
        if not patterns:
            patterns, words = words[:1], words[1:]
        if not patterns or names & {"-c", "-n", "-w"}:
            raise Unfollowed("it calls grep in a way that is not known")
        texts = _contents(shell, words, streams)
        if texts is None:
            return 2
        fixed = kind == "F" or bool(names & {"-F", "--fixed-strings"})
        expressions = [
            Regex(
                _whole(
                    re.sub(r"([\\.*^$\[])", r"\\\1", each) if fixed else each,
                    names,
                    extended := (kind == "E" or "-E" in names) and not fixed,
                ),
                extended=extended,
                ignore_case="-i" in names,
            )
            for pattern in patterns
            for each in pattern.split("\n")
        ]
        found = []
        for line in "".join(texts).split("\0") if "-z" in names else "".join(texts).splitlines():
            matches = [expression.search(line, shell.budget) for expression in expressions]
            match = next(filter(None, matches), None)
            if (match is None) == ("-v" in names):
                found.append(match[0] if match and "-o" in names else line)
        if not names & {"-q", "--quiet"}:
            streams.print("".join(f"{line}\n" for line in found))
        return int(not found)

    return grep


def _whole(pattern: str, names: set[str], extended: bool) -> str:
    if "-x" not in names:
        return pattern
    return f"^({pattern})$" if extended else rf"^\({pattern}\)$"


def _cut(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "d:f:b:c:s", ("delimiter=", "fields="))
    named = dict(given)
    delimiter = named.get("-d", named.get("--delimiter", "\t"))
    fields = named.get("-f", named.get("--fields"))
    ranges = fields or named.get("-c") or named.get("-b") or ""
    lines = _lines(shell, words, streams)
    if lines is None:
        return 1
    if not re.fullmatch(r"\d{1,4}(-\d{0,4})?|-\d{1,4}", ranges) or len(delimiter) != 1:
        raise Unfollowed("it calls cut in a way that is not known")
    first, dash, last = ranges.partition("-")
    start = int(first or 1) - 1
    end = int(last) if last else None if dash else start + 1
    for line in lines:
        if fields is None:
            streams.print(f"{line[start:end]}\n")
        elif delimiter in line:
            streams.print(f"{delimiter.join(line.split(delimiter)[start:end])}\n")
        elif "-s" not in named:
            streams.print(f"{line}\n")
    return 0


_SETS = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:digit:]": "0123456789",
    "[:space:]": " \t\n\v\f\r",
    "[:blank:]": " \t",
}


def _set(text: str) -> str:
    text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0").replace("\\\\", "\\")
    for name, characters in _SETS.items():
        text = text.replace(name, characters)
    if re.search(r"\[[:=.]", text):
        raise Unfollowed(f"it translates `{text}`")
    return re.sub(
        r"([a-zA-Z0-9])-([a-zA-Z0-9])",
        lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))),
        text,
    )


def _tr(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "ds", ("delete", "squeeze-repeats"))
    names = {name for name, _ in given}
    sets = [_set(word) for word in words]
    text = streams.input.rest()
    if names & {"-d", "--delete"} and len(sets) == 1:
        streams.print("".join(char for char in text if char not in sets[0]))
    elif names & {"-s", "--squeeze-repeats"} and len(sets) == 1:
        each = re.escape(sets[0])
        streams.print(re.sub(f"([{each}])\\1+", r"\1", text))
    elif not names and len(sets) == 2 and sets[0] and sets[1]:
        to = sets[1] + sets[1][-1] * (len(sets[0]) - len(sets[1]))
        streams.print(text.translate({ord(a): b for a, b in zip(sets[0], to, strict=False)}))
    else:
        raise Unfollowed("it calls tr in a way that is not known")
    return 0


def _sort(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "urVn", ("unique", "reverse"))
    names = {name for name, _ in given}
    lines = _lines(shell, words, streams)
    if lines is None:
        return 2
    if names & {"-V", "-n"}:
        raise Unfollowed("it sorts by numbers")
    lines = sorted(set(lines) if names & {"-u", "--unique"} else lines, key=encoded)
    streams.print("".join(f"{line}\n" for line in (lines[::-1] if "-r" in names else lines)))
    return 0


def _uniq(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "c", ())
    runs: list[list[str]] = []
    for line in _lines(shell, words, streams) or ():
        if runs and runs[-1][0] == line:
            runs[-1].append(line)
        else:
            runs.append([line])
    for run in runs:
        streams.print(f"{len(run):7} {run[0]}\n" if given else f"{run[0]}\n")
    return 0


def _head(at_end: bool) -> Program:
    def head(shell: Shell, arguments: list[str], streams: Streams) -> int:
        arguments = [f"-n{each[1:]}" if re.fullmatch(r"-\d+", each) else each for each in arguments]
        given, words = options(arguments, "n:", ("lines=",))
        count = next((value for _, value in given), "10")
        lines = _lines(shell, words, streams)
        if lines is None:
            return 1
        if not re.fullmatch(r"\d{1,6}", count):
            raise Unfollowed("it calls head or tail in a way that is not known")
        chosen = lines[max(len(lines) - int(count), 0) :] if at_end else lines[: int(count)]
        streams.print("".join(f"{line}\n" for line in chosen))
        return 0

    return head


def _sum(algorithm: str) -> Program:
    def digest(shell: Shell, arguments: list[str], streams: Streams) -> int:
        paths = [each for each in arguments if each != "-b"]
        for path in paths or ["-"]:
            texts = _contents(shell, [path], streams)
            if texts is None:
                return 1
            data = encoded(texts[0])
            value = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
            streams.print(f"{value}  {path}\n")
        return 0

    return digest


def _cmp(shell: Shell, arguments: list[str], streams: Streams) -> int:
    _, words = options(arguments, "s", ("quiet", "silent"))
    texts = _contents(shell, words, streams) if len(words) == 2 else None
    if texts is None:
        return 2
    return int(texts[0] != texts[1])


def _path(act: Callable[[str], str]) -> Program:
    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        words = [each for each in arguments if each != "--"]
        if not words or words[0].startswith("-"):
            raise Unfollowed("it calls basename or dirname in a way that is not known")
        text = act(words[0])
        suffix = words[1] if len(words) == 2 else ""
        if suffix and text != suffix:
            text = text.removesuffix(suffix)
        streams.print(f"{text}\n")
        return 0

    return program


def _seq(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not all(re.fullmatch(r"-?\d{1,4}", each) for each in arguments):
        raise Unfollowed("it counts in a way that is not known")
    numbers = [int(each) for each in arguments]
    match numbers:
        case [last]:
            counted = range(1, last + 1)
        case [first, last]:
            counted = range(first, last + 1)
        case [first, step, last] if step:
            counted = range(first, last + (1 if step > 0 else -1), step)
        case _:
            return 1
    streams.print("".join(f"{number}\n" for number in counted))
    return 0


def _expr(shell: Shell, arguments: list[str], streams: Streams) -> int:
    match arguments:
        case [left, "+" | "-" as sign, right] if left.isdecimal() and right.isdecimal():
            value = int(left[:18]) + (1 if sign == "+" else -1) * int(right[:18])
            streams.print(f"{value}\n")
            return int(value == 0)
        case [text, ":", pattern]:
            found = Regex(f"^{pattern}").search(text, shell.budget)
            group = found[1] if found and found.re.groups else None
            result = (
                (group or "") if found and found.re.groups else str(len(found[0]) if found else 0)
            )
            streams.print(f"{result}\n")
            return int(result in {"", "0"})
    raise Unfollowed("it calculates in a way that is not known")


def _tee(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if any(each.startswith("-") for each in arguments):
        raise Unfollowed("it calls tee in a way that is not known")
    text = streams.input.rest()
    for path in arguments:
        if path != "/dev/null":
            shell.write(shell.real(path), encoded(text))
    streams.print(text)
    return 0


def _awk(shell: Shell, arguments: list[str], streams: Streams) -> int:
    """Follow awk(1) for the one program that scripts use it for: a word of each line."""
    program, *paths = arguments or [""]
    found = re.fullmatch(r"\s*\{\s*print\s+\$(\d{1,2}|NF)\s*;?\s*\}\s*", program)
    if found is None:
        raise Unfollowed(f"it runs awk with `{program}`")
    lines = _lines(shell, paths, streams)
    for line in lines or ():
        words = line.split()
        index = len(words) if found[1] == "NF" else int(found[1])
        word = line if index == 0 else "".join(words[index - 1 : index])
        streams.print(f"{word}\n")
    return 2 if lines is None else 0


def _wc(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "lwc", ("lines", "words", "bytes"))
    if len(given) != 1 or words:
        raise Unfollowed("it calls wc in a way that is not known")
    text = streams.input.rest()
    counts = {
        "l": text.count("\n"),
        "w": len(text.split()),
        "c": len(encoded(text)),
        "b": len(encoded(text)),
    }
    streams.print(f"{counts[given[0][0].lstrip('-')[0]]}\n")
    return 0


def _sed(shell: Shell, arguments: list[str], streams: Streams) -> int:
    given, words = options(arguments, "nEre:i", ("expression=", "in-place", "quiet"))
    names = {name for name, _ in given}
    scripts = [value for name, value in given if name in {"-e", "--expression"}]
    if not scripts:
        scripts, words = words[:1], words[1:]
    quiet, extended = bool(names & {"-n", "--quiet"}), bool(names & {"-E", "-r"})
    program = "\n".join(scripts)
    if not names & {"-i", "--in-place"}:
        texts = _contents(shell, words, streams)
        if texts is None:
            return 2
        streams.print(sed(program, "".join(texts), shell.budget, quiet=quiet, extended=extended))
        return 0
    for path in words:
        texts = _contents(shell, [path], streams)
        if texts is None:
            return 2
        text = sed(program, texts[0], shell.budget, quiet=quiet, extended=extended)
        if text != texts[0]:
            shell.write(shell.real(path), encoded(text))
    return 0


TEXT: Mapping[str, Program] = {
    "awk": _awk,
    "basename": _path(lambda path: posixpath.basename(path.rstrip("/")) or "/"),
    "cat": _cat,
    "cmp": _cmp,
    "cut": _cut,
    "dirname": _path(lambda path: posixpath.dirname(path.rstrip("/")) or "."),
    "egrep": _grep("E"),
    "expr": _expr,
    "fgrep": _grep("F"),
    "grep": _grep("G"),
    "head": _head(at_end=False),
    "md5sum": _sum("md5"),
    "sed": _sed,
    "seq": _seq,
    "sha256sum": _sum("sha256"),
    "sha512sum": _sum("sha512"),
    "sort": _sort,
    "tail": _head(at_end=True),
    "tee": _tee,
    "tr": _tr,
    "uniq": _uniq,
    "wc": _wc,
}
"""The programs by their names."""
