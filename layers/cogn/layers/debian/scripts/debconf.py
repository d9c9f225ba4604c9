"""The commands of debconf's confmodule (debconf-devel(7)): nobody is asked, defaults answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.questions import Question
from cogn.layers.debian.scripts.shell import Program, Shell
from cogn.layers.debian.scripts.streams import Streams

__all__ = ["DEBCONF"]

_UNKNOWN_QUESTION = 10
_SKIPPED = 30


def _answer(shell: Shell, text: str, status: int = 0) -> int:
    shell.variables["RET"] = text
    return status


def _fine(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return _answer(shell, "")


def _version(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return _answer(shell, "2.1")


def _capb(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return _answer(shell, "multiselect backup progresscancel")


def _input(shell: Shell, arguments: list[str], streams: Streams) -> int:
    return _answer(shell, "question skipped", _SKIPPED)


def _about(act: Callable[[Shell, Question, list[str]], str]) -> Program:
    """Return the command that does something to the question that its first argument names."""

    def program(shell: Shell, arguments: list[str], streams: Streams) -> int:
        question = shell.system.questions.find(arguments[0]) if arguments else None
        if question is None:
            return _answer(shell, "the question does not exist", _UNKNOWN_QUESTION)
        return _answer(shell, act(shell, question, arguments[1:]))

    return program


def _get(shell: Shell, question: Question, arguments: list[str]) -> str:
    return question.value


def _set(shell: Shell, question: Question, arguments: list[str]) -> str:
    question.value = " ".join(arguments)
    return "value set"


def _fget(shell: Shell, question: Question, arguments: list[str]) -> str:
    return question.flags.get(" ".join(arguments), "false")


def _fset(shell: Shell, question: Question, arguments: list[str]) -> str:
    if len(arguments) == 2:
        question.flags[arguments[0]] = arguments[1]
    return ""


def _metaget(shell: Shell, question: Question, arguments: list[str]) -> str:
    name = " ".join(arguments).lower()
    text = question.fields.get(name.removesuffix("-c"), "")
    return re.sub(r"\$\{([^}]*)\}", lambda found: question.flags.get(f"${found[1]}", ""), text)


def _subst(shell: Shell, question: Question, arguments: list[str]) -> str:
    if arguments:
        question.flags[f"${arguments[0]}"] = " ".join(arguments[1:])
    return ""


def _reset(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for name in arguments[:1]:
        shell.system.questions.reset(name)
    return _answer(shell, "")


def _register(shell: Shell, arguments: list[str], streams: Streams) -> int:
    if len(arguments) != 2 or not shell.system.questions.register(*arguments):
        return _answer(shell, "no such template", _UNKNOWN_QUESTION)
    return _answer(shell, "")


def _unregister(shell: Shell, arguments: list[str], streams: Streams) -> int:
    for name in arguments[:1]:
        shell.system.questions.forget(name)
    return _answer(shell, "")


def _unknown(shell: Shell, arguments: list[str], streams: Streams) -> int:
    raise Unfollowed("it loads templates of its own")


DEBCONF: Mapping[str, Program] = {
    "db_beginblock": _fine,
    "db_capb": _capb,
    "db_endblock": _fine,
    "db_fget": _about(_fget),
    "db_fset": _about(_fset),
    "db_get": _about(_get),
    "db_go": _fine,
    "db_info": _fine,
    "db_input": _input,
    "db_metaget": _about(_metaget),
    "db_progress": _fine,
    "db_purge": _fine,
    "db_register": _register,
    "db_reset": _reset,
    "db_set": _about(_set),
    "db_settitle": _fine,
    "db_stop": _fine,
    "db_subst": _about(_subst),
    "db_title": _fine,
    "db_unregister": _unregister,
    "db_version": _version,
    "db_x_loadtemplatefile": _unknown,
}
"""The commands by their names."""
