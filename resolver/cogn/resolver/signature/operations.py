"""What operators and formats do with plain data, all bounded.

Each is Python's own, applied to values of exactly the built-in types, after a look at how large
the result can get. Sets are never read in an order, because theirs differs from run to run.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cogn.resolver.signature.values import EnumMember

__all__ = [
    "MOST",
    "Once",
    "Refusal",
    "binary",
    "compare",
    "formatted",
    "items",
    "length",
    "require_data",
    "unary",
    "weigh",
]

MOST = 100_000
"""How much a value can hold: entries, however deep, and eight characters each for one."""

_BITS_ATMOST = 10_000
_WIDTH = re.compile(r"\d{5}|\*")
"""Part of a format that makes long text, or lets an argument say how long."""

_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_SEQUENCES: tuple[Any, ...] = (list, tuple, range, *_VIEWS)
_SETS: tuple[Any, ...] = (set, frozenset)


class Refusal(Exception):  # noqa: N818 - it is no error of the code that is read
    """Raised when an operation is not one that can be followed; the text is the reason."""


class Once:
    """What an iterator has left to give; whoever reads it takes it all."""

    def __init__(self, values: Iterable[object]) -> None:
        self._left = list(values)

    def take(self) -> list[Any]:
        """Return what is left; after that, nothing is."""
        left, self._left = self._left, []
        return left

    def __iter__(self) -> Iterator[Any]:
        return iter(self.take())


def weigh(value: object) -> int:
    """Return about how much `value` holds; raises Refusal when that is too much."""
    waiting: list[Any] = [value]
    total = 0
    while waiting:
        each: Any = waiting.pop()
        total += 1
        if isinstance(each, str | bytes):
            total += len(each) // 8
        elif isinstance(each, int):
            if each.bit_length() > _BITS_ATMOST:
                raise Refusal("the number is too large")
        elif isinstance(each, range):
            total += length(each)
        elif isinstance(each, dict):
            total += 2 * len(each)
            waiting += [*each, *each.values()] if total <= MOST else ()
        elif _is_collection(each):
            total += len(each)
            waiting += each if total <= MOST else ()
        if total > MOST:
            raise Refusal("it gets too large")
    return total


def require_data(*values: object, sets: bool = True) -> None:
    """Raise Refusal unless these are data throughout, and without sets if `sets` is False."""
    waiting: list[Any] = list(values)
    seen = 0
    while waiting:
        each: Any = waiting.pop()
        seen += 1
        if seen > MOST:
            raise Refusal("it gets too large")
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, _SETS) and not sets:
            raise Refusal("the order of a set differs from run to run; use `sorted(...)`")
        elif _is_collection(each):
            waiting += [] if isinstance(each, range) else each
        elif type(each) not in _SCALARS:
            raise Refusal("it is about more than plain data")


def items(value: Any, *, any_order: bool = False) -> list[Any]:  # noqa: ANN401 - any
    """Return what `value` holds, in its order.

    Raises Refusal for a set, unless `any_order`, and for what is no collection.
    """
    if isinstance(value, str | bytes):
        return list(value) if len(value) <= MOST else _too_large()
    if isinstance(value, Once):
        return value.take()
    if isinstance(value, _SETS):
        if not any_order:
            raise Refusal("the order of a set differs from run to run; use `sorted(...)`")
        return list(value)
    if isinstance(value, dict) or _is_collection(value):
        return list(value) if length(value) <= MOST else _too_large()
    raise Refusal("it is no collection whose content can be followed")


def _is_collection(value: object) -> bool:
    return isinstance(value, (*_SEQUENCES, *_SETS))


def length(value: Any) -> int:  # noqa: ANN401 - anything with a length
    """Return how many values a collection has, or a number that is too large."""
    try:
        return len(value)
    except OverflowError:  # a range beyond what a length can be
        return MOST + 1


def _too_large() -> list[Any]:
    raise Refusal("it gets too large")


_UNARY: Mapping[type[ast.unaryop], Callable[[Any], object]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def unary(kind: ast.unaryop, value: object) -> object:
    """Return the result of a prefix operator other than `not`."""
    require_data(value)
    return _UNARY[type(kind)](value)


def binary(kind: ast.operator, left: object, right: object) -> object:
    """Return the result of an operator between two values."""
    collections = (*_SCALARS, *_SEQUENCES, *_SETS, dict)
    if type(left) not in collections or type(right) not in collections:
        raise Refusal("it is about more than plain data")
    match kind, left, right:
        case (ast.Mod(), str() | bytes(), _):
            return _percent(left, right)
        case (ast.Mult(), int(), int()):
            _require_bits(left.bit_length() + right.bit_length())
        case (ast.Pow(), int(), int()) if right > 0:
            _require_bits(left.bit_length() * right)
        case (ast.LShift(), int(), int()) if right > 0:
            _require_bits(left.bit_length() + right)
        case (ast.Mult(), int() as times, (str() | bytes() | list() | tuple()) as repeated) | (
            ast.Mult(),
            (str() | bytes() | list() | tuple()) as repeated,
            int() as times,
        ):
            if times * weigh(repeated) > MOST:
                raise Refusal("it gets too large")
        case (ast.BitOr() | ast.BitAnd() | ast.BitXor() | ast.Sub(), _, _):
            require_data(left, right)
    if type(kind) not in _BINARY:
        raise Refusal("it uses an operator that is not followed")
    return _BINARY[type(kind)](left, right)


def _require_bits(bits: int) -> None:
    if bits > _BITS_ATMOST:
        raise Refusal("the number is too large")


def _percent(template: str | bytes, values: object) -> object:
    require_data(values, sets=False)
    text = template if isinstance(template, str) else template.decode("latin-1")
    if any(_WIDTH.search(each) for each in re.findall(r"%(?:\(.*?\))?([^a-zA-Z%]*)", text)):
        raise Refusal("its width is too large")
    if text.count("%") * 8 * weigh(values) > 8 * MOST:
        raise Refusal("it gets too large")
    return template % values


def compare(kind: ast.cmpop, left: object, right: object) -> bool:
    """Return whether a comparison holds."""
    if isinstance(kind, ast.Is | ast.IsNot) or left is None or right is None:
        # Nothing else is the same object for sure.
        if left is not None and right is not None and not isinstance(left, bool | EnumMember):
            raise Refusal("whether two values are one object is not followed")
        if isinstance(kind, ast.Is | ast.Eq):
            return left is right
        if isinstance(kind, ast.IsNot | ast.NotEq):
            return left is not right
    elif isinstance(kind, ast.Eq | ast.NotEq) and isinstance(left, EnumMember):
        if not isinstance(right, EnumMember):
            raise Refusal("it compares an enumeration with something else")
        return (left is right) == isinstance(kind, ast.Eq)
    require_data(left, right)
    return bool(_COMPARISONS[type(kind)](left, right))


def formatted(value: object, conversion: int, spec: str) -> str:
    """Return a value as an f-string writes it."""
    require_data(value, sets=False)
    if re.search(r"\d{5}", spec):
        raise Refusal("its width is too large")
    weigh(value)
    convert: Callable[[object], object] = _CONVERSIONS.get(chr(max(conversion, 0)), _unchanged)
    return format(convert(value), spec)


def _unchanged(value: object) -> object:
    return value


_CONVERSIONS: Mapping[str, Callable[[object], object]] = {"s": str, "r": repr, "a": ascii}
