"""The scripts that somebody has read, because they cannot be followed: ``scripts.toml``.

A script is known by its package and by the SHA-256 of its text without comments, blank lines and
what debhelper generated, which is followed as elsewhere, and with a placeholder for the names of
the architecture.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

__all__ = ["Known", "generated", "known", "normalized"]

_GENERATED = re.compile(
    r"^# Automatically added by .*\n(?:.*\n)*?# End automatically added section\n", re.MULTILINE
)
_TRIPLET = re.compile(r"\b(x86_64|aarch64)-linux-gnu\b")
_ARCHITECTURE = re.compile(r"\b(amd64|arm64)\b")


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One script."""

    package: str
    script: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    effect: str
    """Its name in `cogn.layers.debian.scripts.effects`; ``none`` is none."""
    why: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    script: list[Known]


def known(package: str, script: str, text: str) -> Known | None:
    """Return what is known of a package's script, None when it is to be followed."""
    return _table().get((package, script, _digest(text)))


def generated(text: str) -> str:
    """Return the parts of a script that debhelper added."""
    return "".join(_GENERATED.findall(text))


def normalized(text: str) -> str:
    """Return what of a script decides its hash."""
    text = _ARCHITECTURE.sub("@ARCH@", _TRIPLET.sub("@TRIPLET@", _GENERATED.sub("", text)))
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def _digest(text: str) -> str:
    return hashlib.sha256(normalized(text).encode("utf-8", "surrogateescape")).hexdigest()


@cache
def _table() -> dict[tuple[str, str, str], Known]:
    data = (files("cogn.layers.debian.scripts") / "scripts.toml").read_text(encoding="utf-8")
    rows = msgspec.convert(tomllib.loads(data), _Table).script
    return {(row.package, row.script, row.sha256): row for row in rows}
