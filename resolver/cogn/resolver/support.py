"""What Cog does and cogn does not yet: refused by name, with the reason and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cogn.resolver.config import Config
from cogn.resolver.errors import UnsupportedError
from cogn.resolver.releases import OWN_BASES, python_hint
from cogn.resolver.settings import Settings
from cogn.resolver.yamlfile import YamlFile

__all__ = ["unsupported"]

_NOT_EXECUTED = "cogn executes nothing to build an image"
_FROM_WHEELS = "CUDA comes with the wheels that need it, in the version that they were built for"


class _Rule(NamedTuple):
    key: tuple[str, ...]
    asked: Callable[[Config], object]
    """Returns something true when the configuration asks for it."""
    reason: str
    hint: str


_RULES = (
    _Rule(
        ("train",),
        lambda config: config.train,
        "training is not supported",
        "remove the key: predictions do not need it",
    ),
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
    _Rule(
        ("build", "cuda"),
        lambda config: config.build.cuda,
        f"the version of CUDA cannot be set: {_FROM_WHEELS}",
        "remove the key, and pin the package in the version built for that CUDA",
    ),
    _Rule(
        ("build", "cudnn"),
        lambda config: config.build.cudnn,
        f"the version of cuDNN cannot be set: {_FROM_WHEELS}",
        "remove the key, and pin the package in the version built for that cuDNN",
    ),
)


def unsupported(config: Config, settings: Settings, file: YamlFile) -> Iterator[UnsupportedError]:
    """Yield an error for each thing in the configuration that cogn does not do."""
    for rule in _RULES:
        if rule.asked(config):
            yield UnsupportedError(rule.reason, where=file.where(rule.key), hint=rule.hint)
    minor = config.build.python_minor
    # Which Python an image has that is the base is known when the lock is made.
    if settings.base is None and (own := OWN_BASES[settings.suite]) != minor:
        yield UnsupportedError(
            f"the base, Debian {settings.suite}, has Python {own} alone",
            where=file.where(("build", "python_version")),
            hint=python_hint(minor, own, is_image=False),
        )
