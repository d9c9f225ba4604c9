"""The shell language followed for a new system (POSIX.1-2017, XCU 2): nothing is started.

A command is a function of this package that does to a `System` what the program would do, or a
script of the system that is followed in turn. Where neither is there, and where something depends
on the machine, a script cannot be followed. A `Budget` sees to it that following ends.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from cogn.layers.debian.scripts import nodes
from cogn.layers.debian.scripts.budget import Budget
from cogn.layers.debian.scripts.errors import Unfollowed
from cogn.layers.debian.scripts.expansion import fits
from cogn.layers.debian.scripts.streams import (
    Exit,
    Input,
    LoopExit,
    Output,
    Return,
    Streams,
    decoded,
    encoded,
)
from cogn.layers.debian.scripts.syntax import parse
from cogn.layers.debian.scripts.system import System
from cogn.layers.debian.scripts.words import Words
from cogn.layers.entry import Bytes, Entry, Kind

__all__ = ["Program", "Shell", "is_shell_script"]

_PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_SHELLS = re.compile(r"#! ?(/usr)?/bin/(sh|dash|bash)( -[eux]+)?[ \t]*\n")
_LARGEST_SCRIPT = 1 << 20

Program = Callable[["Shell", list[str], Streams], int]
"""A command: its arguments without its name, and its streams; returns its status."""


class Shell:
    """A shell and its state."""

    def __init__(
        self,
        system: System,
        programs: Mapping[str, Program],
        arguments: list[str],
        variables: Mapping[str, str],
    ) -> None:
        self.system = system
        self.tree = system.tree
        self.programs = programs
        """The commands that are known, by name."""
        self.arguments = arguments
        """The positional parameters after ``$0``."""
        self.variables = dict(variables)
        self.functions: dict[str, nodes.Command] = {}
        self.options: set[str] = set()
        self.traps: dict[str, str] = {}
        self.directory = "/"
        self.umask = 0o022
        self.status = 0
        self._locals: list[dict[str, str | None]] = []
        self._tolerant = 0
        self.budget = Budget()
        """What may still be taken, shared with all that this shell starts."""
        self.words = Words(self)

    # Scripts.

    def source(self, text: str, streams: Streams) -> int:
        """Follow a script in this shell; returns its status or raises `Exit`."""
        script = parse(text)
        with self.budget:
            try:
                return self._script(script, streams)
            except Return as end:
                return end.status

    def run(self, text: str, streams: Streams) -> int:
        """Follow a script to its end and return its status."""
        try:
            status = self.source(text, streams)
        except Exit as end:
            status = end.status
        except LoopExit:
            status = 0
        if trap := self.traps.pop("EXIT", ""):
            self.run(trap, streams)
        return status

    def child(self, arguments: list[str] | None = None) -> Shell:
        """Return a shell that starts with this one's state, or as a script of its own."""
        child = Shell(self.system, self.programs, self.arguments, self.variables)
        child.directory, child.umask, child.status = self.directory, self.umask, self.status
        child.budget = self.budget
        if arguments is None:
            child.functions = dict(self.functions)
            child.options = set(self.options)
            child._tolerant = self._tolerant
        else:
            child.arguments = arguments
        return child

    def _script(self, script: nodes.Script, streams: Streams) -> int:
        for item in script.items:
            if item.background:
                raise Unfollowed("it starts something in the background")
            self.status = self._and_or(item, streams)
        return self.status if script.items else 0

    def _and_or(self, item: nodes.AndOr, streams: Streams) -> int:
        pipelines = [("", item.first), *item.rest]
        status = 0
        for index, (operator, pipeline) in enumerate(pipelines):
            if (operator == "&&" and status != 0) or (operator == "||" and status == 0):
                continue
            is_last = index == len(pipelines) - 1
            tolerant = not is_last or pipeline.negated
            status = self.status = self._pipeline(pipeline, streams, tolerant=tolerant)
        return status

    def _pipeline(self, pipeline: nodes.Pipeline, streams: Streams, *, tolerant: bool) -> int:
        self._tolerant += tolerant
        try:
            if len(pipeline.commands) == 1:
                status = self._command(pipeline.commands[0], streams)
            else:
                given = streams.input
                for command in pipeline.commands[:-1]:
                    text, _ = self.captured(command, replace(streams, input=given))
                    given = Input(text)
                last = pipeline.commands[-1]
                status = self._isolated(last, replace(streams, input=given))
        finally:
            self._tolerant -= tolerant
        if pipeline.negated:
            return int(status == 0)
        if status != 0 and len(pipeline.commands) > 1:
            self._check(status)
        return status

    def _check(self, status: int) -> None:
        if status != 0 and "e" in self.options and not self._tolerant:
            raise Exit(status)

    def captured(self, command: nodes.Command | nodes.Script, streams: Streams) -> tuple[str, int]:
        """Follow something in a subshell; return what it prints, and its status."""
        pieces: list[str] = []
        out = Output(lambda text: pieces.append(self.budget.hold(text)))
        status = self._isolated(command, replace(streams, outputs={**streams.outputs, 1: out}))
        return "".join(pieces), status

    def _isolated(self, command: nodes.Command | nodes.Script, streams: Streams) -> int:
        """Follow something in a subshell."""
        child = self.child()
        with self.budget:
            try:
                if isinstance(command, nodes.Script):
                    status = child._script(command, streams)
                else:
                    status = child._command(command, streams)
            except Exit as end:
                status = end.status
            except LoopExit:
                status = 0
        if trap := child.traps.pop("EXIT", ""):
            child.run(trap, streams)
        return status

    # Commands.

    def _command(self, command: nodes.Command, streams: Streams) -> int:
        self.budget.step()
        match command:
            case nodes.Function():
                self.functions[command.name] = command.body
                return 0
            case nodes.Simple():
                status = self._simple(command, streams)
                self.status = status
                self._check(status)
                return status
            case nodes.Compound():
                redirected = self._redirected(command.redirections, streams)
                if redirected is None:
                    self._check(1)
                    return 1
                return self._compound(command.command, redirected)

    def _compound(
        self,
        command: nodes.If | nodes.Loop | nodes.For | nodes.Case | nodes.Subshell | nodes.Script,
        streams: Streams,
    ) -> int:
        with self.budget:
            match command:
                case nodes.Script():
                    return self._script(command, streams)
                case nodes.Subshell():
                    status = self._isolated(command.script, streams)
                    self._check(status)
                    return status
                case nodes.If():
                    for condition, then in command.branches:
                        if self._condition(condition, streams):
                            return self._script(then, streams)
                    return self._script(command.otherwise, streams)
                case nodes.Case():
                    word = self.words.text(command.word, streams)
                    for patterns, then in command.branches:
                        if any(fits(self.words.pattern(each, streams), word) for each in patterns):
                            return self._script(then, streams)
                    return 0
                case nodes.Loop():
                    return self._loop(
                        lambda: self._condition(command.condition, streams) != command.inverted,
                        command.body,
                        streams,
                    )
                case nodes.For():
                    words = iter(
                        list(self.arguments)
                        if command.words is None
                        else self.words.fields(command.words, streams)
                    )

                    def advance() -> bool:
                        word = next(words, None)
                        if word is not None:
                            self.variables[command.name] = word
                        return word is not None

                    return self._loop(advance, command.body, streams)

    def _loop(self, advance: Callable[[], bool], body: nodes.Script, streams: Streams) -> int:
        status = 0
        while advance():
            self.budget.step()
            try:
                status = self._script(body, streams)
            except LoopExit as end:
                if end.loops > 1:
                    raise LoopExit(end.loops - 1, again=end.again) from None
                status = 0
                if not end.again:
                    break
        return status

    def _condition(self, script: nodes.Script, streams: Streams) -> bool:
        self._tolerant += 1
        try:
            return self._script(script, streams) == 0
        finally:
            self._tolerant -= 1

    def _simple(self, command: nodes.Simple, streams: Streams) -> int:
        before = self.status
        self.status = 0
        words = self.words.fields(command.words, streams, before)
        redirected = self._redirected(command.redirections, streams)
        if redirected is None:
            return 1
        text = self.words.text
        if not words:
            for name, word in command.assignments:
                self.variables[name] = text(word, streams, before)
            return self.status  # of the last substitution
        values = [(name, text(word, streams, before)) for name, word in command.assignments]
        self.status = before
        name, *arguments = words
        if name in self.functions:
            return self._function(self.functions[name], arguments, values, redirected)
        with self._variables(values):
            return self.call(name, arguments, redirected)

    def call(self, name: str, arguments: list[str], streams: Streams) -> int:
        """Follow a command by its name; raises `Unfollowed` for one that is not known."""
        if name in self.functions:
            return self._function(self.functions[name], arguments, [], streams)
        program = self.programs.get(posixpath.basename(name))
        if program is not None:
            return program(self, arguments, streams)
        path = self.find(name)
        if path is None:
            return 127
        node = self.tree.get(path)
        text = ""
        if node is not None and node.kind is Kind.FILE and node.content.size < _LARGEST_SCRIPT:
            text = decoded(self.tree.read(path))
        if not is_shell_script(text):
            raise Unfollowed(f"it runs `{name}`")
        with self.budget:
            child = self.child(arguments)
            child.options |= {"e"} if " -e" in text.partition("\n")[0] else set()
            return child.run(text, streams)

    def find(self, name: str) -> str | None:
        """Return the real path of a program, None when the system has none of that name."""
        paths = [name] if "/" in name else [f"/{directory}/{name}" for directory in _PATH]
        for path in paths:
            real = self.tree.real(path, directory=self.directory)
            node = self.tree.get(real)
            if node is not None and node.kind is Kind.FILE and node.mode & 0o111:
                return real
        return None

    def real(self, path: str, *, follow: bool = True) -> str:
        """Return the real path of what a script calls `path`."""
        return self.tree.real(path, follow=follow, directory=self.directory)

    def node(self, path: str, *, follow: bool = True) -> Entry | None:
        """Return what is at a path, None when there is nothing."""
        if path in {"", "/dev/null"} or path.startswith(("/dev/fd/", "/proc/self/")):
            return None
        return self.tree.get(self.real(path, follow=follow))

    def _function(
        self,
        body: nodes.Command,
        arguments: list[str],
        values: list[tuple[str, str]],
        streams: Streams,
    ) -> int:
        before, self.arguments = self.arguments, arguments
        self._locals.append({})
        with self.budget:
            try:
                with self._variables(values):
                    return self._command(body, streams)
            except Return as end:
                self._check(end.status)
                return end.status
            finally:
                self.arguments = before
                for name, value in self._locals.pop().items():
                    self._restore(name, value)

    def declare_local(self, name: str) -> None:
        """Give a variable back its value when the function ends."""
        if not self._locals:
            raise Unfollowed("it has `local` outside of a function")
        self._locals[-1].setdefault(name, self.variables.get(name))

    def _restore(self, name: str, value: str | None) -> None:
        if value is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = value

    def _variables(self, values: list[tuple[str, str]]) -> _Assigned:
        return _Assigned(self, values)

    # Redirections.

    def _redirected(
        self, redirections: tuple[nodes.Redirection, ...], streams: Streams
    ) -> Streams | None:
        """Return the streams after some redirections, None when a file is not there."""
        for each in redirections:
            outputs = dict(streams.outputs)
            target = self.words.text(each.word, streams)
            match each.operator:
                case "<<":
                    streams = replace(streams, input=Input(target))
                    continue
                case "<":
                    if target == "/dev/null":
                        streams = replace(streams, input=Input())
                        continue
                    real = self.tree.real(target, directory=self.directory)
                    if self.tree.get(real) is None:
                        return None
                    text = self.budget.hold(decoded(self.tree.read(real)))
                    streams = replace(streams, input=Input(text))
                    continue
                case ">&" if target.isdecimal():
                    outputs[each.descriptor] = outputs.get(int(target), Output())
                case "<&":
                    pass
                case ">" | ">|" | ">>" if target == "/dev/null":
                    outputs[each.descriptor] = Output()
                case ">" | ">|" | ">>" if target in {"/dev/stderr", "/dev/stdout"}:
                    number = 2 if target == "/dev/stderr" else 1
                    outputs[each.descriptor] = outputs.get(number, Output())
                case ">" | ">|" | ">>":
                    outputs[each.descriptor] = self._file(target, append=each.operator == ">>")
                case operator:
                    raise Unfollowed(f"it redirects with `{operator}`")
            streams = replace(streams, outputs=outputs)
        return streams

    def _file(self, path: str, *, append: bool) -> Output:
        real = self.tree.real(path, directory=self.directory)
        before = b""
        if append and self.tree.get(real) is not None:
            before = self.tree.read(real)
        content = decoded(before)
        self.write(real, before)

        def take(text: str) -> None:
            nonlocal content
            content = self.budget.hold(content + text)
            self.write(real, encoded(content))

        return Output(take)

    def write(self, real: str, data: bytes) -> None:
        """Write a file; one that exists keeps its owner and mode."""
        node = self.tree.get(real)
        if node is None:
            mode = 0o666 & ~self.umask
            node = Entry(path=real, kind=Kind.FILE, mode=mode)
        elif node.kind is not Kind.FILE:
            raise Unfollowed(f"it writes to `/{real}`, which is no file")
        self.tree.put(replace(node, content=Bytes(data)))


class _Assigned:
    """Variables that are set for one command."""

    def __init__(self, shell: Shell, values: list[tuple[str, str]]) -> None:
        self._shell = shell
        self._values = values
        self._before = {name: shell.variables.get(name) for name, _ in values}

    def __enter__(self) -> None:
        self._shell.variables.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            self._shell._restore(name, value)


def is_shell_script(text: str) -> bool:
    """Tell whether a file is a script that a shell runs."""
    return _SHELLS.match(text) is not None
