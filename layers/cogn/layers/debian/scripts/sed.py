"""sed(1), as far as maintainer scripts use it: ``s``, ``d``, ``p`` and ``q`` with addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cogn.layers.debian.scripts.budget import Budget
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.regex import Regex

__all__ = ["sed"]

_Address = int | str | Regex


@dataclass(slots=True)
class _Command:
    addresses: tuple[_Address, ...]
    negated: bool
    name: str
    pattern: Regex | None = None
    replacement: str = ""
    flags: str = ""
    inside: bool = False
    """Whether a range of lines has begun."""

    def is_for(self, line: str, number: int, last: bool, budget: Budget) -> bool:
        return self._selects(line, number, last, budget) != self.negated

    def _selects(self, line: str, number: int, last: bool, budget: Budget) -> bool:
        match self.addresses:
            case ():
                return True
            case (one,):
                return _fits(one, line, number, last, budget)
            case (first, second):
                if not self.inside:
                    if first == 0:
                        self.inside = number == 1
                    else:
                        self.inside = _fits(first, line, number, last, budget)
                        if self.inside and not (isinstance(second, int) and second <= number):
                            return True
                        if self.inside:
                            self.inside = False
                            return True
                    if not self.inside:
                        return False
                if isinstance(second, int) and number > second:
                    self.inside = False
                    return False
                if _fits(second, line, number, last, budget):
                    self.inside = False
                    if first == 0:
                        self.addresses = (-1,)
                return True
        return False


def _fits(address: _Address, line: str, number: int, last: bool, budget: Budget) -> bool:
    match address:
        case int():
            return number == address
        case Regex():
            return address.search(line, budget) is not None
        case _:
            return last


def sed(program: str, text: str, budget: Budget, *, quiet: bool, extended: bool) -> str:
    """Return what sed prints for an input; raises `Unfollowed` for a command that is not known."""
    commands = _Reader(program, extended).commands()
    ends = text.endswith("\n") or not text
    lines = text.removesuffix("\n").split("\n") if text else []
    out: list[str] = []
    for number, line in enumerate(lines, 1):
        last = number == len(lines)
        deleted = stopped = False
        for command in commands:
            if not command.is_for(line, number, last, budget):
                continue
            match command.name:
                case "d":
                    deleted = True
                    break
                case "p":
                    out.append(line)
                case "q":
                    stopped = True
                    break
                case "s":
                    changed = _substituted(command, line, budget)
                    if changed is not None:
                        line = budget.hold(changed)
                        if "p" in command.flags:
                            out.append(line)
        if not deleted and not quiet:
            out.append(line)
        if stopped:
            break
    result = "".join(f"{line}\n" for line in out)
    return result if ends else result.removesuffix("\n")


def _substituted(command: _Command, line: str, budget: Budget) -> str | None:
    assert command.pattern is not None
    pieces: list[str] = []
    at = copied = 0
    while at <= len(line) and (found := command.pattern.search(line, budget, at)) is not None:
        pieces += [line[copied : found.start()], _replaced(command.replacement, found)]
        copied = found.end()
        at = found.end() + (found.end() == found.start())
        if "g" not in command.flags:
            break
    return "".join([*pieces, line[copied:]]) if pieces else None


def _replaced(replacement: str, found: re.Match[str]) -> str:
    def piece(part: re.Match[str]) -> str:
        if part[0] == "&":
            return found[0]
        char = part[0][1]
        if char.isdigit():
            if int(char) > found.re.groups:
                raise Unfollowed("it refers to a group that is not there")
            return found[int(char)] or ""
        return {"n": "\n", "t": "\t"}.get(char, char)

    return re.sub(r"&|\\[\s\S]", piece, replacement)


class _Reader:
    def __init__(self, program: str, extended: bool) -> None:
        self._program = program
        self._extended = extended
        self._at = 0
        self._last = ""

    def commands(self) -> list[_Command]:
        commands: list[_Command] = []
        while True:
            self._skip(" \t\n;")
            if self._at >= len(self._program):
                return commands
            commands.append(self._command())

    def _skip(self, characters: str) -> None:
        while self._at < len(self._program) and self._program[self._at] in characters:
            self._at += 1

    def _command(self) -> _Command:
        addresses: list[_Address] = []
        if (first := self._address()) is not None:
            addresses.append(first)
            self._skip(" ")
            if self._program.startswith(",", self._at):
                self._at += 1
                second = self._address()
                if second is None:
                    raise self._error()
                addresses.append(second)
        self._skip(" ")
        negated = self._program.startswith("!", self._at)
        self._at += negated
        self._skip(" ")
        name = self._program[self._at : self._at + 1]
        self._at += 1
        command = _Command(tuple(addresses), negated, name)
        if name == "s":
            self._substitution(command)
        elif name not in {"d", "p", "q"}:
            raise self._error()
        self._skip(" \t")
        if self._at < len(self._program) and self._program[self._at] not in ";\n":
            raise self._error()
        return command

    def _address(self) -> _Address | None:
        text = self._program
        if found := re.compile(r"\d{1,6}").match(text, self._at):
            self._at = found.end()
            return int(found[0])
        if text.startswith("$", self._at):
            self._at += 1
            return "$"
        if text.startswith("\\", self._at):
            self._at += 1
        elif not text.startswith("/", self._at):
            return None
        pattern = self._delimited(text[self._at : self._at + 1])
        ignore_case = text.startswith("I", self._at)
        self._at += ignore_case
        return self._regex(pattern, ignore_case)

    def _substitution(self, command: _Command) -> None:
        delimiter = self._program[self._at : self._at + 1]
        pattern = self._delimited(delimiter)
        self._at -= 1
        command.replacement = self._delimited(delimiter)
        found = re.compile("[gpIi]*").match(self._program, self._at)
        assert found is not None
        self._at = found.end()
        command.flags = found[0]
        command.pattern = self._regex(pattern, "i" in command.flags.lower())

    def _regex(self, pattern: str, ignore_case: bool) -> Regex:
        self._last = pattern or self._last
        return Regex(self._last, extended=self._extended, ignore_case=ignore_case)

    def _delimited(self, delimiter: str) -> str:
        """Return what stands between the delimiter here and the next, and go past that."""
        if delimiter in {"", "\n", "\\"}:
            raise self._error()
        self._at += 1
        pieces = []
        while not self._program.startswith(delimiter, self._at):
            if self._at >= len(self._program):
                raise self._error()
            char = self._program[self._at]
            if char == "\\":
                following = self._program[self._at + 1 : self._at + 2]
                char = following if following == delimiter else char + following
                self._at += 1
            self._at += 1
            pieces.append(char)
        self._at += 1
        return "".join(pieces)

    def _error(self) -> Unfollowed:
        return Unfollowed(f"it edits with `{self._program}`")
