"""The tree that a shell script is parsed into (POSIX.1-2017, XCU 2.9 and 2.10).

Words keep which of their parts were quoted, because that decides what becomes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AndOr",
    "Arithmetic",
    "Case",
    "Command",
    "Compound",
    "For",
    "Function",
    "If",
    "Loop",
    "Parameter",
    "Part",
    "Pipeline",
    "Redirection",
    "Script",
    "Simple",
    "Subshell",
    "Substitution",
    "Text",
    "Word",
    "literal",
]


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as they stand."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """``$name`` or ``${name}``, with an operator such as ``:-`` or ``%`` and its word.

    The operator of ``${#name}`` is called ``length``, any that POSIX does not have ``unknown``.
    """

    name: str
    operator: str
    word: Word
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """``$(script)``: what a script prints."""

    script: Script
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((expression))``."""

    expression: Word
    quoted: bool


Part = Text | Parameter | Substitution | Arithmetic
Word = tuple[Part, ...]


@dataclass(slots=True)
class Redirection:
    """``descriptor operator word``; the word of ``<<`` is the document itself.

    A document is read when the line that names it has ended, and put in its place then.
    """

    descriptor: int
    operator: str
    word: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """Assignments, and a command with its arguments; either may be missing."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with what follows from each, and what follows from none."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script


@dataclass(frozen=True, slots=True)
class Loop:
    """``while``, or ``until`` when it is inverted."""

    condition: Script
    body: Script
    inverted: bool


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words``; None for the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Script


@dataclass(frozen=True, slots=True)
class Case:
    """``case word in``: patterns with what follows from each."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Script], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of a function."""

    name: str
    body: Command


@dataclass(frozen=True, slots=True)
class Subshell:
    """``( script )``."""

    script: Script


@dataclass(frozen=True, slots=True)
class Compound:
    """A command of several with redirections for all; ``{ script; }`` alone is a script."""

    command: If | Loop | For | Case | Subshell | Script
    redirections: tuple[Redirection, ...]


Command = Simple | Compound | Function


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``."""

    commands: tuple[Command, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AndOr:
    """A pipeline, and others with the ``&&`` or ``||`` before each."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...]
    background: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Commands one after the other."""

    items: tuple[AndOr, ...]


def literal(word: Word) -> str:
    """Return the characters of a word as they stand; an expansion is a ``$``."""
    return "".join(part.text if isinstance(part, Text) else "$" for part in word)
