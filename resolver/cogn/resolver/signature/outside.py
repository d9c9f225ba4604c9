"""What is known of the world outside a project: constants, bases, and calls worth keeping."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping

from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.values import external

__all__ = ["CONSTANTS", "FREE_OF_NAMES", "IMPORTABLE", "KEPT", "PATHS", "integer_limits", "outside"]

PATHS = frozenset(
    f"pathlib.{name}"
    for name in (
        *("Path", "PosixPath", "WindowsPath"),
        *("PurePath", "PurePosixPath", "PureWindowsPath"),
    )
) | {"cog.Path"}
"""The classes of paths."""

KEPT = PATHS | {
    "cog.Input",
    "cog.Secret",
    "dataclasses.field",
    "enum.auto",
    "numpy.iinfo",
    "pydantic.Field",
    "pydantic.PrivateAttr",
}
"""The functions and classes that are not called but whose arguments are read later."""

CONSTANTS: Mapping[str, object] = {
    "sys.maxsize": 2**63 - 1,  # of the image, which has 64 bits
    "math.e": math.e,
    "math.inf": math.inf,
    "math.pi": math.pi,
    "math.tau": math.tau,
    "numpy.inf": math.inf,
    "numpy.pi": math.pi,
    "string.ascii_letters": string.ascii_letters,
    "string.ascii_lowercase": string.ascii_lowercase,
    "string.ascii_uppercase": string.ascii_uppercase,
    "string.digits": string.digits,
    "string.hexdigits": string.hexdigits,
}
"""Values that are the same everywhere."""

FREE_OF_NAMES = frozenset(
    {
        "abc.ABC",
        "builtins.float",
        "builtins.int",
        "builtins.object",
        "builtins.str",
        "cog.BaseModel",
        "cog.BasePredictor",
        "cog.BaseRunner",
        "enum.Enum",
        "enum.Flag",
        "enum.IntEnum",
        "enum.IntFlag",
        "enum.StrEnum",
        "pydantic.BaseModel",
        "typing.Generic",
        "typing.NamedTuple",
        "typing.Protocol",
        "typing.TypedDict",
    }
)
"""Classes that give their heirs nothing of which a predictor is made, such as a `run()`."""

IMPORTABLE: Mapping[str, frozenset[str]] = {
    "cog": frozenset(
        (
            "AsyncConcatenateIterator",
            "BaseModel",
            "BasePredictor",
            "BaseRunner",
            "CancelationException",
            "ConcatenateIterator",
            "ExperimentalFeatureWarning",
            "FieldInfo",
            "File",
            "Input",
            "Opaque",
            "Path",
            "Scope",
            "Secret",
            "URLFile",
            "URLPath",
            "__version__",
            "concurrent",
            "current_scope",
            "emit_metric",
            "streaming",
        )
    )
}
"""What can be imported from modules of which all is known."""


def outside(path: str) -> object:
    """Return what `path` names, which is a plain value if it is the same everywhere."""
    found = external(path)
    return CONSTANTS.get(found.path, found)


def integer_limits(path: str, name: str) -> int:
    """Return `min`, `max` or `bits` of one of numpy's integer types; raises Refusal."""
    match = re.fullmatch(r"numpy\.(u?)int(8|16|32|64)", path)
    if match is None or name not in ("min", "max", "bits"):
        raise Refusal("it is not followed")
    bits = int(match[2])
    if name == "bits":
        return bits
    if match[1]:
        return (1 << bits) - 1 if name == "max" else 0
    return (1 << (bits - 1)) - 1 if name == "max" else -(1 << (bits - 1))
