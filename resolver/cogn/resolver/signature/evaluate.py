"""Evaluates the expressions of a program that is read and not run.

What a program computes from plain data is computed; a function from outside the project is never
called. Steps, sizes and depth are bounded.
"""

from __future__ import annotations

import ast
import posixpath
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from cogn.resolver.signature import functions, operations
from cogn.resolver.signature.enumerations import distinct_members
from cogn.resolver.signature.errors import UnknownValueError
from cogn.resolver.signature.modules import Module, Modules
from cogn.resolver.signature.names import Names
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.outside import KEPT
from cogn.resolver.signature.values import (
    Call,
    ClassValue,
    EnumMember,
    External,
    Frame,
    FunctionValue,
    MethodOf,
    Subscripted,
    UnionOf,
    Unknown,
    shown,
)

__all__ = ["Evaluator"]

_STEPS = 1_000_000
"""For all of a project: some seconds at the very most."""

_STEPS_AT_ONCE = 250_000
"""For one statement of a module, so that one that is large leaves some to the others."""

_DEEPEST = 100
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
_NEITHER_TRUE_NOR_FALSE = (
    *(External, Call, EnumMember, MethodOf, Subscripted, UnionOf),
    operations.Once,
)
_TYPES = (External, ClassValue, Subscripted, UnionOf)


class Evaluator(Names):
    """Evaluates expressions; `cogn.resolver.signature.execute` adds what statements do."""

    def __init__(self, modules: Modules) -> None:
        super().__init__(modules)
        self._left = _STEPS
        self._left_at_once = _STEPS_AT_ONCE
        self._depth = 0

    @abstractmethod
    def call_function(
        self, function: FunctionValue, arguments: list[Any], keywords: dict[str, Any]
    ) -> object:
        """Return what a function of the project returns."""

    def evaluate(self, node: ast.expr, frame: Frame) -> Any:  # noqa: ANN401 - any value at all
        """Return the value of an expression; raises UnknownValueError when it cannot be known."""
        self._depth += 1
        try:
            self.spend(1)
            if self._depth > _DEEPEST:
                raise Refusal("it is nested too deeply")
            value = self._value(node, frame)
            if isinstance(node, _MAKERS):
                self.spend(operations.weigh(value))
        except Refusal as refusal:
            raise self.unknown(node, frame, str(refusal)) from None
        except _FAILURES as error:
            reason = f"it fails with `{type(error).__name__}: {str(error)[:100]}`"
            raise self.unknown(node, frame, reason) from None
        finally:
            self._depth -= 1
        if isinstance(value, Unknown):
            raise value.error
        return value

    def evaluate_or_unknown(self, node: ast.expr, frame: Frame) -> object:
        """Return the value of an expression, or what tells why it cannot be known."""
        try:
            return self.evaluate(node, frame)
        except UnknownValueError as error:
            return Unknown(error)

    def unknown(self, node: ast.AST, frame: Frame, reason: str) -> UnknownValueError:
        """Return the error that says of an expression why its value cannot be known."""
        self._left -= 10  # so that many of them count
        return UnknownValueError.because(shown(node), reason, frame.module.where(node))

    def spend(self, steps: int) -> None:
        """Count steps; raises Refusal when there were too many."""
        self._left -= steps
        self._left_at_once -= steps
        if self._left < 0 or self._left_at_once < 0:
            raise Refusal("it takes too many steps")

    def begin_statement(self) -> None:
        """Grant the next statement of a module its share of steps."""
        self._left_at_once = _STEPS_AT_ONCE

    def items(self, value: object) -> list[Any]:
        """Return what a collection holds, in its order; raises Refusal for other values."""
        if isinstance(value, ClassValue) and value.members is not None:
            return distinct_members(value)
        return operations.items(value)

    def is_true(self, value: object) -> bool:
        """Return the truth of a value; raises Refusal when it has none that is known."""
        if value == External("typing.TYPE_CHECKING"):
            return False
        if isinstance(value, ClassValue | FunctionValue | Module):
            return True
        if isinstance(value, _NEITHER_TRUE_NOR_FALSE):
            raise Refusal("whether it is true is not known")
        return bool(value)

    def assign(self, target: ast.expr, value: object, frame: Frame) -> None:
        """Give a value to a name, to several, to an entry of a collection or to an attribute."""
        match target:
            case ast.Name(name):
                frame.names[name] = value
            case ast.Tuple(targets) | ast.List(targets):
                unknown = isinstance(value, Unknown)
                parts = [value] * len(targets) if unknown else self.items(value)
                if any(isinstance(each, ast.Starred) for each in targets):
                    raise Refusal("unpacking with `*` is not followed")
                if len(parts) != len(targets):
                    raise Refusal(f"it does not have {len(targets)} values")
                for each, part in zip(targets, parts, strict=True):
                    self.assign(each, part, frame)
            case ast.Subscript(owner, index):
                collection = self.evaluate(owner, frame)
                if not isinstance(collection, list | dict):
                    raise Refusal("what it is assigned to is no list or dict")
                collection[self.evaluate(index, frame)] = value
                operations.weigh(collection)
            case ast.Attribute(owner, name):
                of = self.evaluate(owner, frame)
                if isinstance(of, ClassValue | Module):
                    of.frame.names[name] = value

    def _value(self, node: ast.expr, frame: Frame) -> object:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self.lookup(name, frame)
            case ast.Attribute(owner, name):
                return self.attribute(self.evaluate(owner, frame), name)
            case ast.Call():
                return self._call(node, frame)
            case ast.List(elements):
                return list(self._elements(elements, frame))
            case ast.Tuple(elements):
                return tuple(self._elements(elements, frame))
            case ast.Set(elements):
                return set(self._elements(elements, frame))
            case ast.Dict(keys, values):
                return self._dict(keys, values, frame)
            case ast.Subscript(owner, index):
                return self._subscript(self.evaluate(owner, frame), index, frame)
            case ast.BinOp(left, operator, right):
                return self._binary(
                    self.evaluate(left, frame), operator, self.evaluate(right, frame)
                )
            case ast.UnaryOp(ast.Not(), operand):
                return not self.is_true(self.evaluate(operand, frame))
            case ast.UnaryOp(operator, operand):
                return operations.unary(operator, self.evaluate(operand, frame))
            case ast.BoolOp(operator, operands):
                for operand in operands:
                    value = self.evaluate(operand, frame)
                    if self.is_true(value) == isinstance(operator, ast.Or):
                        break
                return value
            case ast.Compare():
                return self._compare(node, frame)
            case ast.IfExp(test, body, orelse):
                chosen = body if self.is_true(self.evaluate(test, frame)) else orelse
                return self.evaluate(chosen, frame)
            case ast.JoinedStr(parts):
                return "".join(str(self.evaluate(each, frame)) for each in parts)
            case ast.FormattedValue(inner, conversion, spec):
                form = "" if spec is None else self.evaluate(spec, frame)
                return operations.formatted(self.evaluate(inner, frame), conversion, form)
            case ast.ListComp(element, generators):
                return [self.evaluate(element, each) for each in self._frames(generators, frame)]
            case ast.GeneratorExp(element, generators):
                frames = self._frames(generators, frame)
                return operations.Once(self.evaluate(element, each) for each in frames)
            case ast.SetComp(element, generators):
                return {self.evaluate(element, each) for each in self._frames(generators, frame)}
            case ast.DictComp(key, value, generators):
                return {
                    self.evaluate(key, each): self.evaluate_or_unknown(value, each)
                    for each in self._frames(generators, frame)
                }
            case ast.Lambda():
                return FunctionValue(node, frame, self.defaults(node.args, frame))
            case ast.NamedExpr(target, inner):
                value = self.evaluate(inner, frame)
                self.assign(target, value, frame)
                return value
        raise Refusal("it is not followed")

    def defaults(self, arguments: ast.arguments, frame: Frame) -> dict[str, object]:
        """Return the defaults of a function's parameters."""
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [
            *zip(reversed(positional), reversed(arguments.defaults), strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        return {
            parameter.arg: self.evaluate_or_unknown(default, frame)
            for parameter, default in pairs
            if default is not None
        }

    def _elements(self, nodes: list[ast.expr], frame: Frame) -> Iterator[object]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.items(self.evaluate(node.value, frame))
            else:
                yield self.evaluate_or_unknown(node, frame)

    def _dict(
        self, keys: list[ast.expr | None], values: list[ast.expr], frame: Frame
    ) -> dict[object, object]:
        made: dict[object, object] = {}
        for key, value in zip(keys, values, strict=True):
            if key is not None:
                made[self.evaluate(key, frame)] = self.evaluate_or_unknown(value, frame)
                continue
            more = self.evaluate(value, frame)
            if not isinstance(more, dict):
                raise Refusal("what it unpacks is no dict")
            made |= more
        return made

    def _binary(self, left: object, operator: ast.operator, right: object) -> object:
        if isinstance(operator, ast.BitOr):
            parts = (left, right)
            if any(isinstance(each, _TYPES) for each in parts) and all(
                each is None or isinstance(each, _TYPES) for each in parts
            ):
                return UnionOf(parts)
        return operations.binary(operator, left, right)

    def _compare(self, node: ast.Compare, frame: Frame) -> bool:
        left = self.evaluate(node.left, frame)
        for kind, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator, frame)
            if not operations.compare(kind, left, right):
                return False
            left = right
        return True

    def _frames(self, generators: list[ast.comprehension], outer: Frame) -> Iterator[Frame]:
        """Yield a frame for each round of a comprehension."""
        first, *others = generators
        for value in self.items(self.evaluate(first.iter, outer)):
            self.spend(1)
            # Python lets the first iterable alone see the names of a class; seeing more is no harm.
            frame = Frame(outer.module, outer, names=dict(outer.names) if outer.is_class else {})
            self.assign(first.target, value, frame)
            if all(self.is_true(self.evaluate(each, frame)) for each in first.ifs):
                if others:
                    yield from self._frames(others, frame)
                else:
                    yield frame

    def _subscript(self, owner: Any, index: ast.expr, frame: Frame) -> object:  # noqa: ANN401 - any value
        if isinstance(owner, ClassValue) and owner.members is not None:
            return owner.members[self.evaluate(index, frame)]
        if isinstance(owner, _TYPES):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return Subscripted(owner, tuple(self._elements(parts, frame)))
        if isinstance(index, ast.Slice):
            bounds = (index.lower, index.upper, index.step)
            key: Any = slice(*(each and self.evaluate(each, frame) for each in bounds))
        else:
            key = self.evaluate(index, frame)
        if not isinstance(owner, str | bytes | list | tuple | range | dict):
            raise Refusal("what it is taken from is no collection")
        return owner[key]

    def _call(self, node: ast.Call, frame: Frame) -> object:
        function = self.evaluate(node.func, frame)
        is_kept = isinstance(function, External) and function.path in KEPT
        arguments: list[object] = []
        for each in self._elements(node.args, frame):
            if isinstance(each, Unknown) and not is_kept:
                raise each.error
            arguments.append(each)
        keywords: dict[str, object] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                more = self.evaluate(keyword.value, frame)
                if not isinstance(more, dict):
                    raise Refusal("what it unpacks is no dict")
                keywords |= {str(key): value for key, value in more.items()}
            elif is_kept:
                keywords[keyword.arg] = self.evaluate_or_unknown(keyword.value, frame)
            else:
                keywords[keyword.arg] = self.evaluate(keyword.value, frame)
        if is_kept:
            if "choices" in keywords:
                with suppress(Refusal):  # Input() takes them as they are now
                    keywords["choices"] = self.items(keywords["choices"])
            return Call(function.path, tuple(arguments), keywords, frame.module.where(node))
        return self._apply(function, arguments, keywords)

    def _apply(self, function: object, arguments: list[Any], keywords: dict[str, Any]) -> object:
        match function:
            case FunctionValue():
                return self.call_function(function, arguments, keywords)
            case MethodOf(receiver, name):
                return functions.call_method(receiver, name, arguments, keywords)
            case ClassValue(members=dict() as found) if len(arguments) == 1:
                for member in found.values():
                    if member is arguments[0] or member.value == arguments[0]:
                        return member
            case External("typing.cast") if len(arguments) == 2:
                return arguments[1]
            case External("os.path.join") if all(isinstance(each, str) for each in arguments):
                return posixpath.join(*arguments)
            case External("builtins.dict.fromkeys"):
                return dict.fromkeys(self.items(arguments[0]), *arguments[1:])
            case External(path) if path.startswith("builtins.str.") and arguments:
                name = path.removeprefix("builtins.str.")
                return functions.call_method(arguments[0], name, arguments[1:], keywords)
            case External("collections.OrderedDict"):
                return self._apply(External("builtins.dict"), arguments, keywords)
            case External(path) if path.removeprefix("builtins.") in functions.FUNCTIONS:
                made = functions.FUNCTIONS[path.removeprefix("builtins.")]
                return made(
                    *map(self._argument, arguments),
                    **{name: self._argument(each) for name, each in keywords.items()},
                )
            case External():
                raise Refusal(f"`{function}` comes from outside the project")
        raise Refusal("what it calls is not followed")

    def _argument(self, value: object) -> object:
        """Return an argument for a built-in function: functions can be called, enums are lists."""
        if isinstance(value, ClassValue) and value.members is not None:
            return distinct_members(value)
        if isinstance(value, FunctionValue | External | MethodOf):
            return self._callable(value)
        return value

    def _callable(self, function: object) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            self.spend(1)
            return self._apply(function, list(arguments), {})

        return call


_MAKERS = (ast.BinOp, ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.JoinedStr, ast.ListComp)
