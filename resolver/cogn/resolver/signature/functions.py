"""The methods of plain data and the built-in functions that can be followed, all bounded.

Each is Python's own, applied after a look at how large the result can get.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cogn.resolver.signature.operations import (
    MOST,
    Once,
    Refusal,
    items,
    length,
    require_data,
    weigh,
)

__all__ = ["FUNCTIONS", "MUTATORS", "call_method"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_METHODS: Mapping[type, frozenset[str]] = {
    str: _names(
        "upper lower strip lstrip rstrip split rsplit splitlines join format replace title "
        "capitalize casefold swapcase startswith endswith removeprefix removesuffix find rfind "
        "index rindex count partition rpartition zfill ljust rjust center isdigit isalpha "
        "isalnum isupper islower isspace isidentifier"
    ),
    list: _names("copy index count append extend insert remove pop reverse clear"),
    tuple: frozenset({"index", "count"}),
    dict: _names("keys values items get copy update setdefault pop clear"),
    set: _names(
        "copy union intersection difference symmetric_difference issubset issuperset isdisjoint "
        "add update discard remove clear"
    ),
    frozenset: _names("copy union intersection difference issubset issuperset"),
    int: frozenset({"bit_length"}),
    float: frozenset({"is_integer"}),
}
_OF_ANYTHING = _names("copy append extend insert reverse clear keys values items update")
"""Methods that look into neither the receiver's entries nor the arguments."""

MUTATORS = _names(
    "append extend insert remove pop reverse sort clear update setdefault add discard"
)
"""Methods that change what they are called on."""


def call_method(
    receiver: Any,  # noqa: ANN401 - any piece of data
    name: str,
    arguments: list[Any],
    keywords: dict[str, Any],
) -> object:
    """Return what a method of a piece of data returns; it may change `receiver`."""
    if name not in _METHODS.get(type(receiver), ()):
        raise Refusal(f"the method `{name}` is not followed")
    if name not in _OF_ANYTHING:
        of_dict = isinstance(receiver, dict)  # the values of a dict are only passed on
        require_data(list(receiver) if of_dict else receiver)
        require_data(*(arguments[:1] if of_dict else arguments), *keywords.values())
    for each in arguments:
        if isinstance(receiver, list | dict) and isinstance(each, set | frozenset):
            items(each)  # raises: theirs is no order
    weight = weigh(receiver) + weigh(arguments) + weigh(keywords)
    if isinstance(receiver, str):
        if name == "format":
            require_data(*arguments, *keywords.values(), sets=False)
            if re.search(r"\{[^{}]*(\{|\d{5})", receiver.replace("{{", "")) or "." in "".join(
                re.findall(r"\{([^{}:!]*)", receiver)
            ):
                raise Refusal("its format is not followed")
            weight *= 1 + receiver.count("{")
        elif name == "join":
            arguments = [items(arguments[0])] if arguments else []
            weight *= 1 + weigh(receiver)
        elif name == "replace":
            weight += (1 + len(receiver)) * sum(
                weigh(each) for each in (*arguments[1:], *keywords.values())
            )
        elif name in ("zfill", "ljust", "rjust", "center"):
            weight += sum(each for each in arguments if isinstance(each, int))
    if weight > MOST * 2:
        raise Refusal("it gets too large")
    return getattr(receiver, name)(*arguments, **keywords)


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if length(made) > MOST:
        raise Refusal("it gets too large")
    return made


def _zip(*each: object) -> list[Any]:
    return list(zip(*map(items, each), strict=False))


def _len(value: object) -> int:
    if isinstance(value, Once):
        raise Refusal("an iterator has no length")
    return len(items(value, any_order=True))


def _ordered(values: object) -> list[Any]:
    found = items(values, any_order=True)
    require_data(found)
    return found


def _text(value: object = "") -> str:
    require_data(value, sets=False)
    return str(value)


def _represented(value: object) -> str:
    require_data(value, sets=False)
    return repr(value)


def _number(kind: type) -> Callable[..., object]:
    def make(*values: object) -> object:
        require_data(*values)
        return kind(*values)

    return make


def _round(value: object, digits: int | None = None) -> object:
    if not isinstance(value, int | float) or not -100 < (digits or 0) < 100:
        raise Refusal("it is not followed")
    return round(value, digits)


def _extreme(choose: Callable[..., object]) -> Callable[..., object]:
    def find(*values: object, **options: object) -> object:
        found = _ordered(values[0]) if len(values) == 1 else _ordered(values)
        return choose(found, **options)

    return find


def _sorted(
    values: object, *, key: Callable[[Any], Any] | None = None, reverse: bool = False
) -> list[Any]:
    if key is None:
        return sorted(_ordered(values), reverse=reverse)
    return sorted(items(values), key=key, reverse=reverse)


def _dict(pairs: object = (), **more: object) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return {**pairs, **more}
    return {**dict(map(items, items(pairs))), **more}


def _sum(values: object, start: Any = 0) -> object:  # noqa: ANN401 - as Python's
    found = _ordered(values)
    if not all(isinstance(each, int | float) for each in (*found, start)):
        raise Refusal("it adds up more than numbers")
    return sum(found, start)


def _set(kind: type) -> Callable[..., object]:
    def make(values: Iterable[object] = ()) -> object:
        return kind(_ordered(values))

    return make


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "abs": _number(abs),  # type: ignore[arg-type]
    "all": lambda values: all(_ordered(values)),
    "any": lambda values: any(_ordered(values)),
    "bool": _number(bool),
    "dict": _dict,
    "enumerate": lambda values, start=0: Once(enumerate(items(values), start)),
    "filter": lambda key, values: Once(each for each in items(values) if (key or bool)(each)),
    "float": _number(float),
    "frozenset": _set(frozenset),
    "int": _number(int),
    "len": _len,
    "list": lambda values=(): items(values),
    "map": lambda key, *values: Once(key(*each) for each in _zip(*values)),
    "max": _extreme(max),
    "min": _extreme(min),
    "range": _range,
    "repr": _represented,
    "reversed": lambda values: Once(items(values)[::-1]),
    "round": _round,
    "set": _set(set),
    "sorted": _sorted,
    "str": _text,
    "sum": _sum,
    "tuple": lambda values=(): tuple(items(values)),
    "zip": lambda *values: Once(_zip(*values)),
}
"""The built-in functions that can be followed."""
