"""What Cog does and cogn does not yet: refused by name, with the reason and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cogn.resolver.config import Config
from cogn.resolver.errors import UnsupportedError
from cogn.resolver.yamlfile import YamlFile

__all__ = ["unsupported"]

_NOT_EXECUTED = "cogn executes nothing to build an image"


class _Rule(NamedTuple):
    key: tuple[str, ...]
    asked: Callable[[Config], object]
    """Returns something true when the configuration asks for it."""
    reason: str
    hint: str


_RULES = (
    _Rule(
        ("weights",),
        lambda config: config.weights,
        "managed weights are not supported",
        "keep the files in the project's directory, or load them in `setup()`",
    ),
    _Rule(
        ("build", "run"),
        lambda config: config.build.run,
        f"{_NOT_EXECUTED}, so `run` commands are not supported",
        "put what they make into the project's directory or into a wheel",
    ),
    _Rule(
        ("build", "pre_install"),
        lambda config: config.build.pre_install,
        f"{_NOT_EXECUTED}, so `pre_install` commands are not supported",
        "put what they make into the project's directory or into a wheel",
    ),
)


def unsupported(config: Config, file: YamlFile) -> Iterator[UnsupportedError]:
    """Yield an error for each thing in the configuration that cogn does not do."""
    for rule in _RULES:
        if rule.asked(config):
            yield UnsupportedError(rule.reason, where=file.where(rule.key), hint=rule.hint)
