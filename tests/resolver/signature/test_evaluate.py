"""Expressions: what is computed is what Python computes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogn.resolver.signature import UnknownValueError
from cogn.resolver.signature.execute import Interpreter
from cogn.resolver.signature.modules import Modules, parse_expression
from cogn.resolver.signature.operations import Once


def evaluated(expression: str) -> Any:
    """The value of an expression in an empty module; raises UnknownValueError."""
    modules = Modules(Path(__file__).parent)
    module = modules.main(Path(__file__).name)
    module.frame.names["table"] = {"a": 1, "b": [2, 3]}
    return Interpreter(modules).evaluate(parse_expression(expression, 1), module.frame)


@pytest.mark.parametrize(
    "expression",
    [
        "not 3 or 'x' and [1]",
        "1 < 2 < 3 != 4",
        "[*range(3), *'ab'][1:-1:2]",
        "{**table, 'c': 3}['c']",
        "table['b'][-1] + table.get('z', 5)",
        "sorted(table, key=lambda name: name, reverse=True)",
        "[x * y for x in range(3) if x for y in range(x) if y != 1]",
        "{k: len(v) for k, v in {'a': 'xy'}.items()}",
        "max(3, 1, 2), min([4, 5])",
        "'%-5s|%05.1f|%x' % ('a', 2.5, 255)",
        "'{:>5}|{a[0]}|{0!r}'.replace('{0!r}', '').format('x', a=[7])",
        'f\'{3:03d}{"x"!r}{1.5:.3f}{table["a"]}\'',
        "' a,b '.strip().upper().split(',')",
        "dict([('a', 1)], b=2)",
        "list(zip('ab', range(5)))",
        "list(enumerate('ab', 1))",
        "list(map(str, [1, 2]))",
        "list(filter(lambda x: x > 1, [1, 2, 3]))",
        "sum([1, 2.5], 3)",
        "any([0, 1]) and all([])",
        "tuple(reversed([1, 2]))",
        "int('ff', 16) + int(3.7) + round(2.567, 1)",
        "(lambda a, *b, c=3, **d: [a, b, c, d])(1, 2, 3, e=4)",
        "sorted({3, 1} | {2})",
        "'a' if table else 'b'",
        "(y := 3) + y",
        "-2 ** 2 // 3 % 5 - ~4 ^ 1 & 7 | 8 << 2 >> 1",
        "b'ab' + b'c', 1j * 2",
        "3 in range(5) and None is None",
    ],
)
def test_the_value_is_that_of_python(expression: str) -> None:
    wanted = eval(expression, {"table": {"a": 1, "b": [2, 3]}})
    assert _plain(evaluated(expression)) == _plain(wanted)


numbers = st.integers(-50, 50).map(repr) | st.floats(-5, 5).map(repr)
texts = st.text("ab {}%,", max_size=4).map(repr)
atoms = numbers | texts | st.sampled_from(["table", "True", "None", "[]", "{}", "()"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of other expressions."""
    binary = st.sampled_from(
        "+ - * / // % ** < <= == != in and or | & ^ << is".split()  # noqa: SIM905
    )
    functions = st.sampled_from(
        "len list tuple sorted str int float bool repr sum min max abs set dict any all "  # noqa: SIM905
        "reversed round range enumerate".split()
    )
    methods = st.sampled_from(
        ["upper()", "split(',')", "keys()", "items()", "get('a')", "format(1, 2)", "copy()"]
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("{}({})".format, functions, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:]".format, inner, numbers),
        st.builds("({}).{}".format, inner, methods),
        st.builds("[x for x in {} if {}]".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("f'{{{}}}'".format, numbers),
        st.builds("({} % {})".format, texts, inner),
        st.builds("{}.join({})".format, texts, inner),
    )


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(atoms, combined, max_leaves=6))
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_whatever_is_computed_is_what_python_computes(expression: str) -> None:
    try:
        value = evaluated(expression)
    except UnknownValueError:
        return
    value = _plain(value)
    if "Unknown(" in repr(value):
        return
    try:
        wanted = eval(expression, {"table": {"a": 1, "b": [2, 3]}})
    except Exception:  # noqa: BLE001 - a part that fails does no harm before it is needed
        return
    assert value == _plain(wanted)


def _plain(value: Any) -> Any:
    """Iterators and views as lists, and numbers as text: 1 is no 1.0, and NaN is itself."""
    if isinstance(value, Once):
        return [_plain(each) for each in value.take()]
    if isinstance(value, dict):
        return [(_plain(key), _plain(each)) for key, each in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | range):
        return [_plain(each) for each in value]
    return repr(value)
