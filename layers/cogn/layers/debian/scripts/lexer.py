"""The tokens of a shell script: operators, reserved words, and words with what is in them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.nodes import (
    Arithmetic,
    Parameter,
    Part,
    Redirection,
    Script,
    Substitution,
    Text,
    Word,
    literal,
)

__all__ = ["DEEPEST", "NAME", "OPERATORS", "Lexer"]


DEEPEST = 60
"""How deeply commands and words may be nested."""

OPERATORS = ("<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", *"\n;&|()<>")
"""The longest first."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The name of a variable or a function."""

_SPECIAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_BRACED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_OPERATOR = re.compile(r":[-=?+]|##?|%%?|[-=?+]")


class Lexer(ABC):
    """The text of a script and the place that reading has come to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._documents: list[tuple[Redirection, bool]] = []

    @abstractmethod
    def script(self, ends: tuple[str, ...]) -> Script:
        """Return the commands up to one of the reserved words or operators `ends`."""

    def is_at_end(self) -> bool:
        """Go past blanks and empty lines; tell whether nothing is left."""
        self._skip_newlines()
        return self._at >= len(self._text)

    def error(self) -> Unfollowed:
        """Return the error about what comes next."""
        line = self._text.count("\n", 0, self._at) + 1
        return Unfollowed(f"line {line} is not shell as cogn reads it")

    # Tokens.

    def _skip_blanks(self) -> None:
        while self._at < len(self._text):
            if self._text[self._at] in " \t\r":
                self._at += 1
            elif self._text.startswith("\\\n", self._at):
                self._at += 2
            elif self._text[self._at] == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            else:
                return

    def _skip_newlines(self) -> None:
        self._skip_blanks()
        while self._text.startswith("\n", self._at):
            self._newline()
            self._skip_blanks()

    def _newline(self) -> None:
        """Go past the end of a line, and the documents (``<<``) that start after it."""
        self._at += 1
        documents, self._documents = self._documents, []
        for redirection, strips in documents:
            end = literal(redirection.word)
            is_quoted = any(isinstance(part, Text) and part.quoted for part in redirection.word)
            lines = []
            while True:
                if self._at >= len(self._text):
                    raise self.error()
                stop = self._text.find("\n", self._at)
                stop = len(self._text) if stop < 0 else stop
                line = self._text[self._at : stop]
                self._at = stop + 1
                line = line.lstrip("\t") if strips else line
                if line == end:
                    break
                lines.append(line + "\n")
            body = "".join(lines)
            redirection.word = (Text(body, True),) if is_quoted else type(self)(body).document()

    def document(self) -> Word:
        """Return all of the text as the word that an unquoted document is."""
        parts: list[Part] = []
        self._quoted(parts, "")
        return tuple(parts)

    def _peek(self) -> str:
        """Return the operator that comes next, or an empty string."""
        self._skip_blanks()
        return next((op for op in OPERATORS if self._text.startswith(op, self._at)), "")

    def _take(self, operator: str) -> bool:
        if self._peek() != operator:
            return False
        self._at += len(operator)
        return True

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise self.error()

    def _keyword(self, *words: str) -> str:
        """Return the reserved word that comes next and go past it; else an empty string."""
        self._skip_blanks()
        for word in words:
            end = self._at + len(word)
            if self._text.startswith(word, self._at) and (
                end >= len(self._text) or self._text[end] in " \t\r\n;&|()<>"
            ):
                self._at = end
                return word
        return ""

    def _need(self, word: str) -> None:
        self._skip_newlines()
        if not self._keyword(word):
            raise self.error()

    # Words.

    def _name(self) -> str:
        found = NAME.match(self._text, self._at)
        if found is None:
            raise self.error()
        self._at = found.end()
        return found[0]

    def _some_word(self) -> Word:
        word = self._word()
        if word is None:
            raise self.error()
        return word

    def _word(self) -> Word | None:
        self._skip_blanks()
        return self._word_here()

    def _word_here(self) -> Word | None:
        parts: list[Part] = []
        self._unquoted(parts, " \t\r\n;&|()<>")
        return tuple(parts) or None

    def _unquoted(self, parts: list[Part], ends: str) -> None:
        start = self._at
        text = self._text
        while self._at < len(text) and text[self._at] not in ends:
            char = text[self._at]
            if char not in "\\'\"$`":
                self._at += 1
                continue
            if self._at > start:
                parts.append(Text(text[start : self._at], False))
            match char:
                case "\\":
                    escaped = text[self._at + 1 : self._at + 2]
                    self._at += 2
                    if escaped != "\n":
                        parts.append(Text(escaped, True))
                case "'":
                    end = text.find("'", self._at + 1)
                    if end < 0:
                        raise self.error()
                    parts.append(Text(text[self._at + 1 : end], True))
                    self._at = end + 1
                case '"':
                    self._at += 1
                    parts.append(Text("", True))
                    self._quoted(parts, '"')
                    self._at += 1
                case _:
                    self._expansion(parts, False)
            start = self._at
        if self._at > start:
            parts.append(Text(text[start : self._at], False))

    def _quoted(self, parts: list[Part], end: str) -> None:
        """Read up to the character `end`, or all that is left; go not past it."""
        buffer: list[str] = []
        text = self._text
        escaped = {"$", "`", "\\", "\n", end or "\n"}
        while self._at < len(text) and text[self._at] != end:
            char = text[self._at]
            if char == "\\" and (following := text[self._at + 1 : self._at + 2]) in escaped:
                buffer.append(following.replace("\n", ""))
                self._at += 2
            elif char in "$`":
                parts.append(Text("".join(buffer), True))
                buffer = []
                self._expansion(parts, True)
            else:
                buffer.append(char)
                self._at += 1
        if end and self._at >= len(text):
            raise self.error()
        parts.append(Text("".join(buffer), True))

    def _expansion(self, parts: list[Part], quoted: bool) -> None:
        """Read what starts with ``$`` or a backquote."""
        text = self._text
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unfollowed("it is nested too deeply")
        if text[self._at] == "`":
            parts.append(Substitution(self._backquoted(quoted), quoted))
        elif text.startswith("$((", self._at):
            self._at += 3
            parts.append(Arithmetic(self._arithmetic(), quoted))
        elif text.startswith("$(", self._at):
            self._at += 2
            script = self.script((")",))
            self._skip_newlines()
            self._expect(")")
            parts.append(Substitution(script, quoted))
        elif text.startswith("${", self._at):
            self._at += 2
            parts.append(self._braced(quoted))
        elif found := _SPECIAL.match(text, self._at + 1):
            self._at = found.end()
            parts.append(Parameter(found[0], "", (), quoted))
        else:
            self._at += 1
            parts.append(Text("$", True))
        self._depth -= 1

    def _braced(self, quoted: bool) -> Parameter:
        start = self._at
        is_length = self._text.startswith("#", start) and not self._text.startswith("#}", start)
        found = _BRACED.match(self._text, start + is_length)
        if found is None:
            return self._unknown(start, quoted)
        self._at = found.end()
        name, operator = found[0], "length" if is_length else ""
        if not is_length and (found := _OPERATOR.match(self._text, self._at)):
            operator = found[0]
            self._at = found.end()
        parts: list[Part] = []
        if quoted and operator and operator[0] not in "#%":
            self._quoted(parts, "}")
        else:
            self._unquoted(parts, "}")
        if not self._text.startswith("}", self._at) or (parts and operator in {"", "length"}):
            return self._unknown(start, quoted)
        self._at += 1
        return Parameter(name, operator, tuple(parts), quoted)

    def _unknown(self, start: int, quoted: bool) -> Parameter:
        """Read an expansion that only other shells have, which may never be reached."""
        end = self._text.find("}", start)
        if end < 0:
            raise self.error()
        self._at = end + 1
        return Parameter(self._text[start:end], "unknown", (), quoted)

    def _backquoted(self, quoted: bool) -> Script:
        self._at += 1
        inner: list[str] = []
        escaped = {"$", "`", "\\", '"' if quoted else "$"}
        while not self._text.startswith("`", self._at):
            if self._at >= len(self._text):
                raise self.error()
            char = self._text[self._at]
            following = self._text[self._at + 1 : self._at + 2]
            if char == "\\" and following in escaped:
                char = following
                self._at += 1
            inner.append(char)
            self._at += 1
        self._at += 1
        parser = type(self)("".join(inner))
        parser._depth = self._depth
        script = parser.script(())
        if not parser.is_at_end():
            raise self.error()
        return script

    def _arithmetic(self) -> Word:
        parts: list[Part] = []
        open_parentheses = 0
        while not self._text.startswith("))", self._at) or open_parentheses:
            if self._at >= len(self._text):
                raise self.error()
            char = self._text[self._at]
            if char in "$`":
                self._expansion(parts, True)
                continue
            open_parentheses += (char == "(") - (char == ")")
            parts.append(Text(char, True))
            self._at += 1
        self._at += 2
        return tuple(parts)
