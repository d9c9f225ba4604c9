"""The members of enumerations, from the bodies of their classes."""

from __future__ import annotations

import ast

from cogn.resolver.signature.operations import Refusal, compare
from cogn.resolver.signature.values import (
    Call,
    ClassValue,
    EnumMember,
    External,
    FunctionValue,
    Imported,
    MethodOf,
)

__all__ = ["distinct_members", "is_enumeration", "is_same", "members_of"]

_BASES = ("enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag")
_DATA = {
    "builtins.str": str,
    "enum.StrEnum": str,
    "builtins.int": int,
    "enum.IntEnum": int,
    "builtins.float": float,
}


def is_enumeration(cls: ClassValue) -> bool:
    """Tell whether a class is an enumeration."""
    return cls.inherits(*_BASES)


def members_of(cls: ClassValue) -> dict[str, EnumMember]:
    """Return the members of an enumeration by all of their names."""
    members: dict[str, EnumMember] = {}
    for base in cls.bases:
        if isinstance(base, ClassValue) and base.members:
            members |= base.members
    kinds = [kind for path, kind in _DATA.items() if cls.inherits(path)]
    for name, value in cls.frame.names.items():
        if name.startswith("_") or isinstance(value, FunctionValue | ClassValue | MethodOf):
            continue
        if isinstance(value, Call) and value.function == "enum.auto":
            value = name.lower() if cls.inherits("enum.StrEnum") else _next_value(members)
        if kinds and type(value) in (str, int, float, bool):
            value = kinds[0](value)
        same = [each for each in members.values() if is_same(each.value, value)]
        members[name] = same[0] if same else EnumMember(cls, name, value, is_data=bool(kinds))
    return members


def distinct_members(cls: ClassValue) -> list[EnumMember]:
    """Return the members of an enumeration, without other names for the same."""
    found = (cls.members or {}).items()
    return [member for name, member in found if member.name == name]


def _next_value(members: dict[str, EnumMember]) -> int:
    numbers = [each.value for each in members.values() if isinstance(each.value, int)]
    return 1 + max(numbers, default=0)


def is_same(left: object, right: object) -> bool:
    """Tell whether two values are surely the same."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, External):
        return left == right
    if isinstance(left, Imported) and isinstance(right, Imported):
        return (left.module, left.name) == (right.module, right.name)
    try:
        return compare(ast.Eq(), left, right)
    except Refusal:
        return False
