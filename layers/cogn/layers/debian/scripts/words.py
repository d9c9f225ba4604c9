"""What words become (POSIX.1-2017, XCU 2.6): expansions, fields, and the paths of patterns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cogn.layers.debian.scripts.arithmetic import calculate
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.expansion import Characters, fits, has_pattern, plain, trimmed
from cogn.layers.debian.scripts.nodes import Arithmetic, Parameter, Substitution, Text, Word
from cogn.layers.debian.scripts.streams import Exit, Streams

if TYPE_CHECKING:
    from cogn.layers.debian.scripts.shell import Shell

__all__ = ["Words"]

_SPLITTING = " \t\n"


class Words:
    """The expansion of words with the state of a shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def text(self, word: Word, streams: Streams, status: int | None = None) -> str:
        """Return what a word is where no fields are made of it."""
        pieces = (text for text, _ in self._expanded(word, streams, status))
        return self._shell.budget.hold("".join(pieces))

    def pattern(self, word: Word, streams: Streams) -> Characters:
        """Return a word as a pattern."""
        return tuple(
            (char, quoted) for text, quoted in self._expanded(word, streams, None) for char in text
        )

    def fields(
        self, words: tuple[Word, ...], streams: Streams, status: int | None = None
    ) -> list[str]:
        """Return the fields that words are split into, patterns replaced by the paths they fit."""
        fields: list[str] = []
        for word in words:
            for field_ in self._split(word, streams, status):
                if has_pattern(field_):
                    fields += self._paths(field_) or [plain(field_)]
                else:
                    fields.append(plain(field_))
        return fields

    def _split(self, word: Word, streams: Streams, status: int | None) -> Iterator[Characters]:
        separators = self._shell.variables.get("IFS", _SPLITTING)
        current: list[tuple[str, bool]] | None = None
        for part in word:
            if isinstance(part, Parameter) and part.name == "@" and part.quoted:
                for index, argument in enumerate(self._shell.arguments):
                    if index and current is not None:
                        yield tuple(current)
                    start = current if index == 0 and current else []
                    current = [*start, *((char, True) for char in argument)]
                continue
            is_text = isinstance(part, Text)
            for text, quoted in self._expanded((part,), streams, status):
                if quoted or is_text:
                    if not text and isinstance(part, Text) and self._is_only_at(word):
                        continue
                    current = (current or []) + [(char, quoted) for char in text]
                    continue
                for char in text:
                    if char not in separators:
                        current = [*(current or []), (char, False)]
                    elif char in _SPLITTING:
                        if current is not None:
                            yield tuple(current)
                        current = None
                    else:
                        yield tuple(current or ())
                        current = None
        if current is not None:
            yield tuple(current)

    @staticmethod
    def _is_only_at(word: Word) -> bool:
        """Tell whether a word is ``"$@"``, which may be no field at all."""
        return any(isinstance(part, Parameter) and part.name == "@" for part in word)

    def _expanded(
        self, word: Word, streams: Streams, status: int | None
    ) -> Iterator[tuple[str, bool]]:
        """Yield the pieces of a word with whether each was quoted."""
        for index, part in enumerate(word):
            match part:
                case Text(text, quoted):
                    if index == 0 and not quoted and text.startswith("~"):
                        text = self._home(text)
                    yield text, quoted
                case Substitution(script, quoted):
                    with self._shell.budget:
                        text, self._shell.status = self._shell.captured(script, streams)
                    yield text.replace("\0", "").rstrip("\n"), quoted
                case Arithmetic(expression, quoted):
                    yield (
                        str(
                            calculate(self.text(expression, streams, status), self._shell.variables)
                        ),
                        quoted,
                    )
                case Parameter():
                    yield from self._parameter(part, streams, status)

    def _home(self, text: str) -> str:
        if text != "~" and not text.startswith("~/"):
            raise Unfollowed(f"it names `{text}`")
        return f"/root{text[1:]}"

    def _parameter(
        self, part: Parameter, streams: Streams, status: int | None
    ) -> Iterator[tuple[str, bool]]:
        operator = part.operator
        if operator == "unknown":
            raise Unfollowed(f"it has `${{{part.name}}}`")
        value = self._value(part.name, status)
        if operator == "length":
            yield str(len(value or "")), part.quoted
            return
        if operator.strip(":") in {"-", "=", "?", "+"} and operator:
            is_missing = value is None or (operator.startswith(":") and not value)
            if is_missing == (operator[-1] != "+"):
                if operator[-1] == "?":
                    raise Exit(2)
                if operator[-1] == "=":
                    value = self._shell.variables[part.name] = self.text(part.word, streams, status)
                    yield value, part.quoted
                    return
                for text, quoted in self._expanded(part.word, streams, status):
                    yield text, quoted or part.quoted
                return
            if operator[-1] == "+":
                return
        if value is None:
            if "u" in self._shell.options and not operator:
                raise Exit(2)
            value = ""
        if operator and operator[0] in "#%":
            value = trimmed(value, self.pattern(part.word, streams), operator)
        yield value, part.quoted

    def _value(self, name: str, status: int | None) -> str | None:
        match name:
            case "?":
                return str(self._shell.status if status is None else status)
            case "#":
                return str(len(self._shell.arguments))
            case "@" | "*":
                return " ".join(self._shell.arguments)
            case "0":
                return self._shell.variables.get("0", "sh")
            case "$" | "!":
                raise Unfollowed("it asks for the number of a process")
            case "-":
                return "".join(sorted(self._shell.options))
        if name.isdecimal():
            index = int(name) - 1
            return self._shell.arguments[index] if index < len(self._shell.arguments) else None
        return self._shell.variables.get(name)

    def _paths(self, pattern: Characters) -> list[str]:
        """Return the paths that a pattern fits, sorted; none when there is none."""
        parts: list[list[tuple[str, bool]]] = [[]]
        for char, quoted in pattern:
            if char == "/":
                parts.append([])
            else:
                parts[-1].append((char, quoted))
        found = [""]
        for index, part in enumerate(parts):
            prefixes, found = found, []
            for prefix in prefixes:
                if index == 0 and not part:
                    found.append("/")
                    continue
                start = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
                if not has_pattern(tuple(part)):
                    found.append(f"{start}{plain(tuple(part))}")
                    continue
                directory = self._shell.tree.real(start or ".", directory=self._shell.directory)
                found += [
                    f"{start}{name}"
                    for name in self._shell.tree.names(directory)
                    if name.startswith(".") == (part[0][0] == ".") and fits(tuple(part), name)
                ]
        return [path for path in found if self._exists(path)]

    def _exists(self, path: str) -> bool:
        real = self._shell.tree.real(path, follow=False, directory=self._shell.directory)
        return self._shell.tree.get(real) is not None
