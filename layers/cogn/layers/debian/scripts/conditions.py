"""test(1): conditions on texts, numbers and files (POSIX.1-2017, XCU 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams
from cogn.layers.entry import Entry, Kind

__all__ = ["CONDITIONS", "integer"]

_COMPARISONS = frozenset({"=", "==", "!=", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-ef"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


def integer(text: str) -> int:
    """Return a number that a script wrote; raises `ValueError`."""
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError
    return int(text)


def _test(shell: Shell, arguments: list[str], streams: Streams) -> int:
    try:
        return int(not _Test(shell, arguments).value())
    except (IndexError, ValueError):
        return 2


def _bracket(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return 2 if arguments[-1:] != ["]"] else _test(shell, arguments[:-1], streams)


class _Test:
    """The expressions of test(1), the forms with ``-a``, ``-o`` and parentheses included."""

    def __init__(self, shell: Shell, words: list[str]) -> None:
        self._shell = shell
        self._words = words

    def value(self) -> bool:
        match self._words:  # POSIX decides by the number of words first
            case []:
                return False
            case [word]:
                return bool(word)
            case ["!", word]:
                return not word
            case [left, operator, right] if operator in _COMPARISONS:
                return self._compared(left, operator, right)
            case ["!", *rest] if len(rest) <= 3:
                return not _Test(self._shell, rest).value()
        value = self._either()
        if self._words:
            raise ValueError
        return value

    def _either(self) -> bool:
        value = self._both()
        while self._words and self._words[0] == "-o":
            self._words = self._words[1:]
            value = self._both() or value
        return value

    def _both(self) -> bool:
        value = self._one()
        while self._words and self._words[0] == "-a":
            self._words = self._words[1:]
            value = self._one() and value
        return value

    def _one(self) -> bool:
        match self._words:
            case ["!", *rest] if rest:
                self._words = rest
                return not self._one()
            case ["(", *rest]:
                self._words = rest
                value = self._either()
                if not self._words or self._words[0] != ")":
                    raise ValueError
                self._words = self._words[1:]
                return value
            case [left, operator, right, *rest] if operator in _COMPARISONS:
                self._words = rest
                return self._compared(left, operator, right)
            case [operator, word, *rest] if len(operator) == 2 and operator[0] == "-":
                self._words = rest
                return self._is(operator, word)
            case [word, *rest]:
                self._words = rest
                return bool(word)
        raise ValueError

    def _compared(self, left: str, operator: str, right: str) -> bool:
        match operator:
            case "=" | "==":
                return left == right
            case "!=":
                return left != right
            case "-ef":
                return self._shell.real(left) == self._shell.real(right)
        one, other = integer(left), integer(right)
        return {
            "-eq": one == other,
            "-ne": one != other,
            "-lt": one < other,
            "-le": one <= other,
            "-gt": one > other,
            "-ge": one >= other,
        }[operator]

    def _is(self, operator: str, word: str) -> bool:
        if operator == "-n":
            return bool(word)
        if operator == "-z":
            return not word
        if operator == "-t":
            return False
        node = self._shell.node(word, follow=operator not in {"-h", "-L"})
        match operator:
            case "-e" | "-r" | "-w":
                return node is not None
            case "-f":
                return node is not None and node.kind is Kind.FILE
            case "-d":
                return node is not None and node.kind is Kind.DIRECTORY
            case "-h" | "-L":
                return node is not None and node.kind is Kind.SYMLINK
            case "-s":
                return node is not None and (node.kind is not Kind.FILE or _size(node) > 0)
            case "-x":
                return node is not None and bool(node.mode & 0o111)
            case "-b" | "-c" | "-p" | "-S":
                return False
        raise Unfollowed(f"it tests for `{operator}`")


def _size(node: Entry) -> int:
    return node.content.size


CONDITIONS: Mapping[str, Program] = {"[": _bracket, "test": _test}
"""The commands by their names."""
