"""What the shell itself can do (POSIX.1-2017, XCU 2.14), with echo(1) and printf(1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cogn.layers.debian.scripts.conditions import CONDITIONS, integer
from cogn.layers.debian.scripts.debconf import DEBCONF
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Exit, LoopExit, Return, Streams, decoded
from cogn.layers.entry import Kind

__all__ = ["BUILTINS"]

_CONFMODULE = "usr/share/debconf/confmodule"
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}
_ESCAPE = re.compile(r"\\(?:0([0-7]{1,3})|([abefnrtv\\]))")
_FORMAT = re.compile(r"%([-0]?\d{0,3})([sdcb%])")


def _true(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 0


def _false(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 1


def _echo(shell: Shell, arguments: list[str], streams: Streams) -> int:
    newline = "\n"
    if arguments and arguments[0] in {"-n", "-e", "-en", "-ne"}:
        newline = "" if "n" in arguments[0] else "\n"
        arguments = arguments[1:]
    text = " ".join(arguments)
    streams.print(f"{_unescaped(text)}{newline}")
    return 0


def _unescaped(text: str) -> str:
    """Return the text that dash's echo makes of it."""
    return _ESCAPE.sub(
        lambda found: chr(int(found[1], 8) & 0xFF) if found[1] else _ESCAPES[found[2]], text
    )


def _printf(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments:
        return 2
    form, *values = [argument for argument in arguments if argument != "--"]
    form = _unescaped(form)
    while True:
        at = 0
        pieces = []
        rest = list(values)
        for found in _FORMAT.finditer(form):
            pieces.append(form[at : found.start()])
            at = found.end()
            pieces.append(_formatted(found[1], found[2], rest))
        if "%" in form[at:]:
            raise Unfollowed(f"it prints with the format `{form}`")
        streams.print("".join([*pieces, form[at:]]))
        if not rest or len(rest) == len(values):
            return 0
        shell.budget.step()
        values = rest


def _formatted(width: str, kind: str, values: list[str]) -> str:
    if kind == "%":
        return "%"
    value = values.pop(0) if values else ""
    if kind == "d":
        value = str(integer(value or "0"))
    elif kind == "c":
        value = value[:1]
    elif kind == "b":
        value = _unescaped(value)
    size = int(width.strip("-") or 0)
    if width.startswith("-"):
        return value.ljust(size)
    return value.rjust(size, "0" if width.startswith("0") and kind == "d" else " ")


def _cd(shell: Shell, arguments: list[str], streams: Streams) -> int:
    target = next((each for each in arguments if each != "--"), "/root")
    node = shell.node(target)
    if node is None or node.kind is not Kind.DIRECTORY:
        return 2
    shell.directory = f"/{shell.real(target)}"
    return 0


def _pwd(shell: Shell, arguments: list[str], streams: Streams) -> int:
    streams.print(f"{shell.directory}\n")
    return 0


def _exit(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Exit(_status(shell, arguments))


def _return(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Return(_status(shell, arguments))


def _status(shell: Shell, arguments: list[str]) -> int:
    if not arguments:
        return shell.status
    try:
        return integer(arguments[0]) & 0xFF
    except ValueError:
        return 2


def _break(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise LoopExit(_count(arguments), again=False)


def _continue(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise LoopExit(_count(arguments), again=True)


def _count(arguments: list[str]) -> int:
    return int(arguments[0]) if arguments and arguments[0] in "123456789" else 1


def _shift(shell: Shell, arguments: list[str], streams: Streams) -> int:
    count = int(arguments[0]) if arguments and arguments[0].isdecimal() else 1
    if count > len(shell.arguments):
        raise Exit(2)
    shell.arguments = shell.arguments[count:]
    return 0


def _set(shell: Shell, arguments: list[str], streams: Streams) -> int:
    while arguments:
        word = arguments[0]
        if word == "--":
            shell.arguments = arguments[1:]
            return 0
        if word in {"-o", "+o"} and len(arguments) > 1:
            letter = {"errexit": "e", "nounset": "u"}.get(arguments[1], "")
            (shell.options.add if word == "-o" else shell.options.discard)(letter)
            arguments = arguments[2:]
        elif word[:1] in {"-", "+"} and len(word) > 1:
            if set(word[1:]) - set("euxvfhmC"):
                raise Unfollowed(f"it sets `{word}`")
            if "f" in word:
                raise Unfollowed("it expands no patterns")
            for letter in word[1:]:
                (shell.options.add if word[0] == "-" else shell.options.discard)(letter)
            arguments = arguments[1:]
        else:
            shell.arguments = arguments
            return 0
    return 0


def _unset(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for name in arguments:
        if name == "-f":
            raise Unfollowed("it unsets a function")
        shell.variables.pop(name, None)
    return 0


def _export(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals:
            shell.variables[name] = value
    return 0


def _local(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for argument in arguments:
        name, equals, value = argument.partition("=")
        shell.declare_local(name)
        if equals:
            shell.variables[name] = value
    return 0


def _read(shell: Shell, arguments: list[str], streams: Streams) -> int:
    names = [each for each in arguments if not each.startswith("-")]
    raw = "-r" in arguments
    line = streams.input.line()
    if line is None:
        for name in names:
            shell.variables[name] = ""
        return 1
    while not raw and line.endswith("\\") and (more := streams.input.line()) is not None:
        line = line[:-1] + more
    if not raw:
        line = re.sub(r"\\(.)", r"\1", line)
    separators = shell.variables.get("IFS", " \t\n")
    blank = "".join(char for char in separators if char in " \t\n")
    rest = line.strip(blank) if blank else line
    for name in names[:-1]:
        at = next((i for i, char in enumerate(rest) if char in separators), len(rest))
        shell.variables[name], rest = rest[:at], rest[at + 1 :].lstrip(blank)
    if names:
        shell.variables[names[-1]] = rest
    return 0


def _eval(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return shell.source(" ".join(arguments), streams)


def _exec(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments:
        raise Exit(shell.call(arguments[0], arguments[1:], streams))
    return 0  # what it redirects is only what the script prints


def _trap(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    action, *signals = arguments or [""]
    for signal in signals:
        if signal in {"EXIT", "0"}:
            shell.traps["EXIT"] = "" if action == "-" else action
    return 0


def _umask(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments:
        streams.print(f"{shell.umask:04o}\n")
    elif re.fullmatch("[0-7]{1,4}", arguments[0]):
        shell.umask = int(arguments[0], 8)
    else:
        raise Unfollowed(f"it sets the umask `{arguments[0]}`")
    return 0


def _command(shell: Shell, arguments: list[str], streams: Streams) -> int:
    match arguments:
        case ["-v" | "-V", *names]:
            return _which(shell, names, streams)
        case ["-p", name, *rest] | [name, *rest] if not name.startswith("-"):
            return shell.call(name, rest, streams)
    raise Unfollowed("it calls a command in a way that is not known")


def _which(shell: Shell, arguments: list[str], streams: Streams) -> int:
    status = 0 if arguments else 1
    for name in arguments:
        if name in {"-a", "-s"}:
            continue
        found = shell.find(name)
        if name in shell.functions or name in BUILTINS:
            streams.print(f"{name}\n")
        elif found is not None:
            streams.print(f"/{found}\n")
        else:
            status = 1
    return status


def _dot(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if not arguments:
        raise Exit(2)
    real = shell.real(arguments[0])
    if real == _CONFMODULE:
        shell.programs = {**shell.programs, **DEBCONF}
        return 0
    if shell.tree.get(real) is None:
        raise Exit(2)
    return shell.source(decoded(shell.tree.read(real)), streams)


BUILTINS: Mapping[str, Program] = {
    **CONDITIONS,
    ".": _dot,
    ":": _true,
    "break": _break,
    "cd": _cd,
    "command": _command,
    "continue": _continue,
    "echo": _echo,
    "eval": _eval,
    "exec": _exec,
    "exit": _exit,
    "export": _export,
    "false": _false,
    "local": _local,
    "printf": _printf,
    "pwd": _pwd,
    "read": _read,
    "readonly": _export,
    "return": _return,
    "set": _set,
    "shift": _shift,
    "trap": _trap,
    "true": _true,
    "type": _which,
    "umask": _umask,
    "unset": _unset,
    "which": _which,
}
"""The commands by their names."""
