"""Goes through the statements of a program that is read and not run, in their order.

What a statement does that cannot be known makes the names that it sets unknown, and no more: a
module may load what it likes as long as the predictor's parameters do not depend on it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from cogn.resolver.signature.changes import (
    assigned_names,
    forget,
    forget_changes_by,
    separated,
)
from cogn.resolver.signature.enumerations import is_enumeration, is_same, members_of
from cogn.resolver.signature.errors import UnknownValueError
from cogn.resolver.signature.imports import Importer
from cogn.resolver.signature.modules import Module
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.values import (
    ClassValue,
    Decorator,
    External,
    Frame,
    FunctionValue,
    Unknown,
)

__all__ = ["Interpreter"]

_DEEPEST_CALL = 8
_TRANSPARENT = (
    External("builtins.staticmethod"),
    External("functools.cache"),
    External("functools.lru_cache"),
)
"""Decorators that leave what a function returns as it is."""


class _Return(Exception):  # noqa: N818 - a way out of a function, no error
    def __init__(self, value: object) -> None:
        self.value = value


class _LoopControl(Exception):  # noqa: N818 - a way out of a loop, no error
    def __init__(self, *, again: bool) -> None:
        self.again = again


class Interpreter(Importer):
    """Knows what the names of the modules of a project stand for."""

    _calls = 0

    def run_module(self, module: Module) -> None:
        """Go through the statements of a module, unless that was done or is being done."""
        if module.is_executed:
            return
        module.is_executed = True
        outer, self._depth = self._depth, 0
        try:
            for statement in module.tree.body:
                self.begin_statement()
                self._run(statement, module.frame)
        finally:
            self._depth = outer

    def call_function(
        self, function: FunctionValue, arguments: list[Any], keywords: dict[str, Any]
    ) -> object:
        """Return what a function of the project returns, when all that it does can be followed."""
        node = function.node
        if isinstance(node, ast.AsyncFunctionDef) or any(
            isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node)
        ):
            raise Refusal("it calls a generator or an async function")
        if any(isinstance(each, ast.Global | ast.Nonlocal) for each in ast.walk(node)):
            raise Refusal("it calls a function that sets names outside of it")
        if not all(each.function in _TRANSPARENT for each in function.decorators):
            raise Refusal("it calls a function with a decorator")
        frame = Frame(function.frame.module, function.frame)
        frame.names = _bound(function, arguments, keywords)
        self._calls += 1
        try:
            if self._calls > _DEEPEST_CALL:
                raise Refusal("functions call each other too often")
            if isinstance(node, ast.Lambda):
                return self.evaluate(node.body, frame)
            for statement in node.body:
                self._follow(statement, frame)
        except _Return as result:
            return result.value
        finally:
            self._calls -= 1
        return None

    def _run_block(self, statements: Iterable[ast.stmt], frame: Frame) -> None:
        """Run statements; inside of a function, all of them have to be followed."""
        for statement in statements:
            if self._calls:
                self._follow(statement, frame)
            else:
                self._run(statement, frame)

    def _run(self, statement: ast.stmt, frame: Frame) -> None:
        """Run a statement; if it cannot be followed, what it changes becomes unknown."""
        try:
            self._follow(statement, frame)
        except (UnknownValueError, _Return, _LoopControl) as error:
            if not isinstance(error, UnknownValueError):
                error = self.unknown(statement, frame, "it is not followed")
            forget(statement, frame, Unknown(error))
            for name in assigned_names(statement):
                frame.names[name] = Unknown(error)

    def _follow(self, statement: ast.stmt, frame: Frame) -> None:
        try:
            self.spend(1)
            self._do(statement, frame)
        except Refusal as refusal:
            raise self.unknown(statement, frame, str(refusal)) from None
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            reason = f"it fails with `{type(error).__name__}: {str(error)[:100]}`"
            raise self.unknown(statement, frame, reason) from None

    def _do(self, statement: ast.stmt, frame: Frame) -> None:
        match statement:
            case ast.Assign(targets, value):
                result = self._result(value, frame)
                for target in targets:
                    self.assign(target, result, frame)
            case ast.AnnAssign(target, _, value):
                if value is not None:
                    self.assign(target, self._result(value, frame), frame)
            case ast.AugAssign(target, operator, value):
                self._augment(target, operator, value, frame)
            case ast.Import(names):
                for alias in names:
                    self.import_module(alias, frame)
            case ast.ImportFrom():
                self.import_names(statement, frame)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                decorators = self._decorators(statement, frame)
                defaults = self.defaults(statement.args, frame)
                frame.names[name] = FunctionValue(statement, frame, defaults, decorators)
            case ast.ClassDef():
                self._define_class(statement, frame)
            case ast.If(test, body, orelse):
                self._if(test, body, orelse, frame)
            case ast.Try():
                self._try(statement, frame)
            case ast.For(target, collection, body, orelse):
                self._for(target, collection, body, orelse, frame)
            case ast.With(entries, body):
                for entry in entries:
                    if entry.optional_vars is not None:
                        reason = "it depends on what is opened"
                        self.assign(
                            entry.optional_vars,
                            Unknown(self.unknown(entry.context_expr, frame, reason)),
                            frame,
                        )
                self._run_block(body, frame)
            case ast.Expr(value):
                if not isinstance(value, ast.Constant):
                    self.evaluate(value, frame)
            case ast.Return(value):
                raise _Return(None if value is None else self.evaluate(value, frame))
            case ast.Break() | ast.Continue():
                raise _LoopControl(again=isinstance(statement, ast.Continue))
            case ast.Delete(targets):
                for target in targets:
                    self._delete(target, frame)
            case ast.Pass() | ast.Global() | ast.Nonlocal() | ast.Assert():
                pass
            case _:
                self._alias_or_refuse(statement, frame)

    def _delete(self, target: ast.expr, frame: Frame) -> None:
        match target:
            case ast.Name(name):
                frame.names.pop(name, None)
            case ast.Subscript(owner, index):
                collection = self.evaluate(owner, frame)
                if not isinstance(collection, list | dict):
                    raise Refusal("what it is deleted from is no list or dict")
                del collection[self.evaluate(index, frame)]
            case _:
                raise Refusal("it is not followed")

    def _alias_or_refuse(self, statement: ast.stmt, frame: Frame) -> None:
        if type(statement).__name__ != "TypeAlias":  # `type X = ...`, from Python 3.12 on
            raise Refusal("it is not followed")
        fields = dict(ast.iter_fields(statement))
        self.assign(fields["name"], self.evaluate_or_unknown(fields["value"], frame), frame)

    def _augment(
        self, target: ast.expr, operator: ast.operator, value: ast.expr, frame: Frame
    ) -> None:
        source = ast.copy_location(ast.BinOp(target, operator, value), target)
        result = self.evaluate(source, frame)
        old = self.evaluate(target, frame)
        if isinstance(old, list) and isinstance(result, list):
            old[:] = result  # in place, as Python does it: other names see it
            result = old
        self.assign(target, result, frame)

    def _result(self, node: ast.expr, frame: Frame) -> object:
        """Return the value to assign; an unknown one, too, unless it is in a function."""
        result = self.evaluate_or_unknown(node, frame)
        if isinstance(result, Unknown):
            if self._calls:
                raise result.error
            forget(node, frame, result)
        return result

    def _decorators(
        self, owner: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, frame: Frame
    ) -> tuple[Decorator, ...]:
        """Return the decorators, which are not called: what they may change becomes unknown."""
        found = []
        for node in owner.decorator_list:
            called = node if isinstance(node, ast.Call) else None
            function = self.evaluate_or_unknown(called.func if called else node, frame)
            keywords = {
                each.arg: self.evaluate_or_unknown(each.value, frame)
                for each in (called.keywords if called else ())
                if each.arg is not None
            }
            found.append(Decorator(function, keywords))
            reason = "a decorator may change it"
            forget_changes_by(function, Unknown(self.unknown(node, frame, reason)))
        return tuple(found)

    def _define_class(self, node: ast.ClassDef, frame: Frame) -> None:
        cls = ClassValue(
            name=node.name,
            node=node,
            frame=Frame(frame.module, frame, is_class=True),
            bases=tuple(self.evaluate_or_unknown(each, frame) for each in node.bases),
            keywords={
                each.arg or "**": self.evaluate_or_unknown(each.value, frame)
                for each in node.keywords
            },
            decorators=self._decorators(node, frame),
        )
        cls.frame.owner = cls
        for base in cls.mro()[1:]:
            if isinstance(base, ClassValue):
                reason = Unknown(self.unknown(node, frame, "a base class may change it"))
                forget_changes_by(base.frame.names.get("__init_subclass__"), reason)
        for statement in node.body:
            self._run(statement, cls.frame)
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                cls.annotations[statement.target.id] = statement
        if is_enumeration(cls):
            cls.members = members_of(cls)
        frame.names[node.name] = cls

    def _if(
        self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], frame: Frame
    ) -> None:
        try:
            chosen = body if self.is_true(self.evaluate(test, frame)) else orelse
        except (Refusal, UnknownValueError) as error:
            if isinstance(error, Refusal):
                error = self.unknown(test, frame, str(error))
            if self._calls:
                raise error from None
            self._either([body, orelse], frame, error)
        else:
            self._run_block(chosen, frame)

    def _either(
        self, branches: list[list[ast.stmt]], frame: Frame, error: UnknownValueError
    ) -> None:
        """Run each of the branches, of which one is taken; keep what does not depend on which."""
        before = frame.names
        starts = [separated(branch, frame, Unknown(error)) for branch in branches]
        outcomes = []
        for branch, names in zip(branches, starts, strict=True):
            frame.names = names
            self._run_block(branch, frame)
            if not (branch and isinstance(branch[-1], ast.Raise)):
                outcomes.append(frame.names)
        frame.names = outcomes[0] if outcomes else before
        for other in outcomes[1:]:
            for name, value in other.items():
                if name in frame.names and not is_same(frame.names[name], value):
                    frame.names[name] = Unknown(error)
                frame.names.setdefault(name, value)

    def _try(self, node: ast.Try, frame: Frame) -> None:
        succeeds = self.succeeds(node.body, frame)
        handlers = [each.body for each in node.handlers]
        usual = [*node.body, *node.orelse]
        if succeeds or not handlers:
            self._run_block(usual, frame)
        elif succeeds is False:
            self._run_block(handlers[0], frame)
        else:
            error = self.unknown(node.body[0], frame, "whether it succeeds is not known")
            if self._calls:
                raise error
            self._either([usual, *handlers], frame, error)
        self._run_block(node.finalbody, frame)

    def _for(
        self,
        target: ast.expr,
        collection: ast.expr,
        body: list[ast.stmt],
        orelse: list[ast.stmt],
        frame: Frame,
    ) -> None:
        values = self.items(self.evaluate(collection, frame))
        for value in values:
            self.assign(target, value, frame)
            try:
                for statement in body:
                    self._follow(statement, frame)
            except _LoopControl as control:
                if not control.again:
                    return
        self._run_block(orelse, frame)


def _bound(
    function: FunctionValue, arguments: list[Any], keywords: dict[str, Any]
) -> dict[str, object]:
    """Return the parameters of a function with their values in a call; raises Refusal."""
    declared = function.node.args
    positional = [each.arg for each in (*declared.posonlyargs, *declared.args)]
    names = dict(function.defaults)
    if len(arguments) > len(positional) and declared.vararg is None:
        raise Refusal("it passes too many arguments")
    names |= dict(zip(positional, arguments, strict=False))
    if declared.vararg is not None:
        names[declared.vararg.arg] = tuple(arguments[len(positional) :])
    known = {*positional, *(each.arg for each in declared.kwonlyargs)}
    extra = {name: value for name, value in keywords.items() if name not in known}
    if extra and declared.kwarg is None:
        raise Refusal(f"it passes an unknown argument `{next(iter(extra))}`")
    names |= {name: value for name, value in keywords.items() if name in known}
    if declared.kwarg is not None:
        names[declared.kwarg.arg] = extra
    if missing := known - names.keys():
        raise Refusal(f"it passes no argument `{min(missing)}`")
    return names
