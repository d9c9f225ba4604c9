"""The grammar of the shell language (POSIX.1-2017, XCU 2.10), as maintainer scripts use it."""

from __future__ import annotations

from dataclasses import replace

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.lexer import DEEPEST, NAME, OPERATORS, Lexer
from cogn.layers.debian.scripts.nodes import (
    AndOr,
    Case,
    Command,
    Compound,
    For,
    Function,
    If,
    Loop,
    Pipeline,
    Redirection,
    Script,
    Simple,
    Subshell,
    Word,
    literal,
)

__all__ = ["parse"]

_REDIRECTIONS = frozenset({"<", ">", ">>", "<<", "<<-", "<&", ">&", ">|"})
_ENDS = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}"})


def parse(text: str) -> Script:
    """Return the tree of a script; raises `Unfollowed` for what is no script or too deep."""
    parser = _Parser(text)
    script = parser.script(())
    if not parser.is_at_end():
        raise parser.error()
    return script


class _Parser(Lexer):
    def script(self, ends: tuple[str, ...]) -> Script:
        """Return the commands up to one of the reserved words or operators `ends`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unfollowed("it is nested too deeply")
        items: list[AndOr] = []
        while not self.is_at_end() and not self._is_before(ends):
            items.append(self._and_or())
            match self._peek():
                case ";" | "\n":
                    if self._text[self._at] == ";":
                        self._at += 1
                case "&":
                    self._at += 1
                    items[-1] = replace(items[-1], background=True)
                case _:
                    break
        self._depth -= 1
        return Script(tuple(items))

    def _is_before(self, ends: tuple[str, ...]) -> bool:
        at = self._at
        found = bool(self._keyword(*ends)) or self._peek() in ends
        self._at = at
        return found

    def _and_or(self) -> AndOr:
        first = self._pipeline()
        rest = []
        while (operator := self._peek()) in {"&&", "||"}:
            self._at += 2
            self._skip_newlines()
            rest.append((operator, self._pipeline()))
        return AndOr(first, tuple(rest))

    def _pipeline(self) -> Pipeline:
        negated = bool(self._keyword("!"))
        commands = [self._command()]
        while self._take("|"):
            self._skip_newlines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Command:
        compound: If | Loop | For | Case | Subshell | Script
        match self._keyword("if", "while", "until", "for", "case", "{", "function"):
            case "function":  # of bash
                return self._function(literal(self._some_word()))
            case "if":
                compound = self._if()
            case "while" | "until" as word:
                condition = self.script(("do",))
                compound = Loop(condition, self._do(), word == "until")
            case "for":
                compound = self._for()
            case "case":
                compound = self._case()
            case "{":
                compound = self.script(("}",))
                self._need("}")
            case _:
                if not self._take("("):
                    return self._simple()
                compound = Subshell(self.script((")",)))
                self._skip_newlines()
                self._expect(")")
        redirections = []
        while (redirection := self._redirection()) is not None:
            redirections.append(redirection)
        return Compound(compound, tuple(redirections))

    def _if(self) -> If:
        branches = []
        otherwise = Script(())
        while True:
            condition = self.script(("then",))
            self._need("then")
            branches.append((condition, self.script(("elif", "else", "fi"))))
            self._skip_newlines()
            match self._keyword("elif", "else", "fi"):
                case "elif":
                    continue
                case "else":
                    otherwise = self.script(("fi",))
                    self._need("fi")
                case "":
                    raise self.error()
            return If(tuple(branches), otherwise)

    def _do(self) -> Script:
        self._need("do")
        body = self.script(("done",))
        self._need("done")
        return body

    def _for(self) -> For:
        self._skip_blanks()
        name = self._name()
        self._skip_newlines()
        words: list[Word] | None = None
        if self._keyword("in"):
            words = []
            while (word := self._word()) is not None:
                words.append(word)
        self._take(";")
        return For(name, None if words is None else tuple(words), self._do())

    def _case(self) -> Case:
        word = self._some_word()
        self._need("in")
        branches: list[tuple[tuple[Word, ...], Script]] = []
        while True:
            self._skip_newlines()
            if self._keyword("esac"):
                return Case(word, tuple(branches))
            self._take("(")
            patterns = [self._some_word()]
            while self._take("|"):
                patterns.append(self._some_word())
            self._expect(")")
            branches.append((tuple(patterns), self.script((";;", "esac"))))
            self._skip_newlines()
            if not self._take(";;") and not self._is_before(("esac",)):
                raise self.error()

    def _simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[Redirection] = []
        while True:
            if (redirection := self._redirection()) is not None:
                redirections.append(redirection)
                continue
            if not words and (name := self._assignment()):
                assignments.append((name, self._word_here() or ()))
                continue
            at = self._at
            word = self._word()
            if word is None:
                break
            if not words and self._peek() == "(":
                if assignments or redirections:
                    raise self.error()
                return self._function(literal(word))
            if not words and not assignments and literal(word) in _ENDS:
                self._at = at
                raise self.error()
            words.append(word)
        if not (assignments or words or redirections):
            raise self.error()
        return Simple(tuple(assignments), tuple(words), tuple(redirections))

    def _function(self, name: str) -> Function:
        """Read the definition of a function after its name."""
        if not NAME.fullmatch(name.replace("-", "_")):
            raise self.error()
        if self._take("("):
            self._expect(")")
        self._skip_newlines()
        return Function(name, self._command())

    def _assignment(self) -> str:
        """Return the name before ``=`` and go past both; else an empty string."""
        self._skip_blanks()
        found = NAME.match(self._text, self._at)
        if found is None or not self._text.startswith("=", found.end()):
            return ""
        self._at = found.end() + 1
        return found[0]

    def _redirection(self) -> Redirection | None:
        self._skip_blanks()
        at = self._at
        while self._at < len(self._text) and self._text[self._at] in "0123456789":
            self._at += 1
        number = self._text[at : self._at]
        operator = next((op for op in OPERATORS if self._text.startswith(op, self._at)), "")
        if operator not in _REDIRECTIONS or len(number) > 2:
            self._at = at
            return None
        self._at += len(operator)
        descriptor = int(number) if number else int(operator[0] == ">")
        word = self._some_word()
        if operator not in {"<<", "<<-"}:
            return Redirection(descriptor, operator, word)
        document = Redirection(descriptor, "<<", word)
        self._documents.append((document, operator == "<<-"))
        return document
