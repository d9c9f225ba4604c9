"""Arithmetic expansion (POSIX.1-2017, XCU 2.6.4): sums, products and comparisons of integers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cogn.layers.debian.scripts.errors import Unfollowed

__all__ = ["calculate"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"\s*(\d{1,18}|[-+*()]|[<>=!]=|[<>])")
_MOST_TOKENS = 100


def calculate(text: str, variables: Mapping[str, str]) -> int:
    """Return the value of an expression; raises `Unfollowed` for one that is not understood."""
    text = _NAME.sub(lambda found: variables.get(found[0]) or "0", text).strip()
    tokens: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or len(tokens) == _MOST_TOKENS:
            raise Unfollowed(f"it calculates `{text}`")
        tokens.append(found[1])
        at = found.end()
    return _Sum(tokens, text).value()


class _Sum:
    """A recursive descent through the tokens of an arithmetic expression."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self._tokens = tokens[::-1]
        self._text = text

    def value(self) -> int:
        value = self._comparison()
        if self._tokens:
            raise Unfollowed(f"it calculates `{self._text}`")
        return value

    def _comparison(self) -> int:
        left = self._terms()
        while self._tokens and self._tokens[-1] in {"<", ">", "<=", ">=", "==", "!="}:
            operator, right = self._tokens.pop(), self._terms()
            left = int(
                {
                    "<": left < right,
                    ">": left > right,
                    "<=": left <= right,
                    ">=": left >= right,
                    "==": left == right,
                    "!=": left != right,
                }[operator]
            )
        return left

    def _terms(self) -> int:
        left = self._factors()
        while self._tokens and self._tokens[-1] in {"+", "-"}:
            left += self._factors() if self._tokens.pop() == "+" else -self._factors()
        return left

    def _factors(self) -> int:
        left = self._factor()
        while self._tokens and self._tokens[-1] == "*":
            self._tokens.pop()
            left *= self._factor()
        return left

    def _factor(self) -> int:
        sign = self._tokens.pop() if self._tokens else ""
        if sign == "-":
            return -self._factor()
        if sign == "(":
            value = self._comparison()
            if self._tokens and self._tokens.pop() == ")":
                return value
        if _NUMBER.fullmatch(sign):
            return int(sign)
        raise Unfollowed(f"it calculates `{self._text}`")
