"""YAML files as plain data that knows its lines.

Only what JSON can say is data here: mappings with string keys, sequences and scalars. Aliases are
followed, within a bound; a key that stands twice in a mapping is an error, as YAML 1.2 asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor as _Constructor

from cogn.report import ProblemsError, Where
from cogn.resolver.errors import ConfigError
from cogn.resolver.textfile import read_text

__all__ = ["Key", "YamlFile", "dotted"]

_MOST_NODES = 20_000
_DEEPEST = 100

Key = Sequence[str | int]
"""The way to a value: names of keys and positions in sequences."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The content of one YAML file. Make it with `YamlFile.read`."""

    name: str
    data: dict[str, Any]
    lines: dict[tuple[str | int, ...], int]

    @classmethod
    def read(cls, path: Path) -> YamlFile:
        """Return the file's content, which must be a mapping; an empty file is an empty one.

        Raises `ProjectError` when it cannot be read, `ConfigError` when it is not YAML or not a
        mapping, and `ProblemsError` for several keys that are there twice.
        """
        return cls.parse(read_text(path, Where(path.name)), name=path.name)

    @classmethod
    def parse(cls, text: str, *, name: str) -> YamlFile:
        """Return the content of `text`; `name` is the file's name for messages."""
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            nodes = list(_walk(root)) if root is not None else []
            problems = [
                problem for path, _, node in nodes for problem in _duplicates(path, node, name)
            ]
            ProblemsError.raise_if_any(problems)
            data = None if root is None else _Constructor().construct_document(root)
        except yaml.MarkedYAMLError as error:
            raise _syntax_error(error, name) from error
        except yaml.YAMLError as error:
            raise ConfigError(f"not valid YAML: {error}", where=Where(name)) from error
        except (_TooLargeError, RecursionError) as error:
            msg = "too deep or too large once its aliases are followed"
            raise ConfigError(msg, where=Where(name)) from error
        if data is None:
            data = {}
        if not isinstance(data, dict):
            msg = "expected a mapping such as `run: predict.py:Predictor`"
            raise ConfigError(msg, where=Where(name, line=1))
        return cls(name, data, {path: line for path, line, _ in nodes})

    def where(self, key: Key) -> Where:
        """Return the place of a value, or of the nearest thing around it that is in the file."""
        line = None
        for end in range(len(key), 0, -1):
            if line := self.lines.get(tuple(key[:end])):
                break
        return Where(self.name, dotted(key) or None, line)


def dotted(key: Key) -> str:
    """Return the key as people write it: ``build.python_packages[0]``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".")


class _TooLargeError(Exception):
    """More nodes than any configuration has: aliases of aliases, or an alias of itself."""


def _walk(root: yaml.Node) -> Iterator[tuple[tuple[str | int, ...], int, yaml.Node]]:
    """Yield the path, the line and the node of everything below `root`, itself included."""
    waiting: list[tuple[tuple[str | int, ...], yaml.Mark, yaml.Node]]
    waiting = [((), root.start_mark, root)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        path, mark, node = waiting.pop()
        if len(path) > _DEEPEST:
            break
        yield path, mark.line + 1, node
        if isinstance(node, yaml.MappingNode):
            for key, value in reversed(node.value):
                waiting.append(((*path, str(key.value)), key.start_mark, value))
        elif isinstance(node, yaml.SequenceNode):
            for index, item in reversed(list(enumerate(node.value))):
                waiting.append(((*path, index), item.start_mark, item))
    raise _TooLargeError


def _duplicates(path: Key, node: yaml.Node, name: str) -> Iterator[ConfigError]:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, _ in node.value:
        text, line = str(key.value), key.start_mark.line + 1
        if text in seen:
            where = Where(name, dotted([*path, text]), line)
            yield ConfigError(f"already set on line {seen[text]}", where=where)
        seen.setdefault(text, line)


def _syntax_error(error: yaml.MarkedYAMLError, name: str) -> ConfigError:
    reason = error.problem
    if error.context:
        begin = f" from line {error.context_mark.line + 1}" if error.context_mark else ""
        reason = f"{error.context}{begin}: {error.problem}"
    line = error.problem_mark.line + 1 if error.problem_mark else None
    return ConfigError(f"not valid YAML: {reason}", where=Where(name, line=line))
