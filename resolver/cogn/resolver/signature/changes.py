"""What code may change that is not followed: names, and the content of collections."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from cogn.resolver.signature.functions import MUTATORS
from cogn.resolver.signature.operations import weigh
from cogn.resolver.signature.values import ClassValue, Frame, FunctionValue, Unknown

__all__ = ["assigned_names", "forget", "forget_changes_by", "separated"]

_OTHERS = frozenset({"shuffle", "heappush", "insort"})
"""Functions from outside that change what they are given."""


def assigned_names(node: ast.AST) -> set[str]:
    """Return the names that are bound anywhere in `node`."""
    names: set[str] = set()
    for each in ast.walk(node):
        match each:
            case ast.Name(name, ast.Store() | ast.Del()) | ast.FunctionDef(name):
                names.add(name)
            case ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.alias(name, asname):
                names.add(asname or name.partition(".")[0])
    return names


def separated(branch: list[ast.stmt], frame: Frame, reason: Unknown) -> dict[str, object]:
    """Return the names of `frame` for a branch that may not be taken.

    Collections that it changes are copies; others that it changes become unknown. Raises Refusal
    for collections that are too large.
    """
    names = dict(frame.names)
    for statement in branch:
        for name, attribute in _changed_content(statement):
            holder = frame.holder(name)
            value = None if holder is None else holder.names[name]
            if holder is frame and isinstance(value, list | dict | set):
                weigh(value)
                names[name] = _copied(value)
            elif holder is not None and isinstance(value, list | dict | set):
                holder.names[name] = reason
            elif isinstance(value, ClassValue) and attribute is not None:
                _forget_attribute(value, attribute, reason)
    return names


def _copied(value: object) -> object:
    match value:
        case list():
            return [_copied(each) for each in value]
        case dict():
            return {key: _copied(each) for key, each in value.items()}
        case set():
            return set(value)
    return value


def forget(node: ast.AST, frame: Frame, reason: Unknown) -> None:
    """Make unknown what the code in `node` may change without binding a name."""
    _forget(node, frame, reason, [])


def forget_changes_by(function: object, reason: Unknown) -> None:
    """Make unknown what a call of a function of the project may change outside of it."""
    _forget_calls([function], reason, [])


def _forget(node: ast.AST, frame: Frame, reason: Unknown, seen: list[FunctionValue]) -> None:
    for name, attribute in _changed_content(node):
        holder = frame.holder(name)
        if holder is None:
            continue
        value = holder.names[name]
        if isinstance(value, list | dict | set):
            holder.names[name] = reason
        elif isinstance(value, ClassValue) and attribute is not None:
            _forget_attribute(value, attribute, reason)
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name):
            holder = frame.holder(each.func.id)
            function = None if holder is None else holder.names[each.func.id]
            if isinstance(function, FunctionValue):
                for argument in each.args:
                    _forget_collection(argument, frame, reason)
                _forget_calls([function], reason, seen)


def _forget_calls(functions: list[object], reason: Unknown, seen: list[FunctionValue]) -> None:
    for function in functions:
        if not isinstance(function, FunctionValue) or any(function is each for each in seen):
            continue
        seen.append(function)
        for each in ast.walk(function.node):
            if isinstance(each, ast.Global):
                module = function.frame.module.frame
                module.names.update(dict.fromkeys(each.names, reason))
        _forget(function.node, function.frame, reason, seen)
        for name, attribute in _changed_content(function.node):
            if name == "cls" and attribute is not None and function.frame.owner is not None:
                _forget_attribute(function.frame.owner, attribute, reason)


def _forget_attribute(cls: ClassValue, attribute: str, reason: Unknown) -> None:
    for each in cls.mro():
        if isinstance(each, ClassValue) and attribute in each.frame.names:
            each.frame.names[attribute] = reason


def _forget_collection(node: ast.expr, frame: Frame, reason: Unknown) -> None:
    if isinstance(node, ast.Name):
        holder = frame.holder(node.id)
        if holder is not None and isinstance(holder.names[node.id], list | dict | set):
            holder.names[node.id] = reason


def _changed_content(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Yield the names of what is changed in place, each with the attribute if it is one's."""
    for each in ast.walk(node):
        match each:
            case ast.Subscript(owner, _, ast.Store() | ast.Del()):
                yield from _root(owner)
            case ast.Attribute(ast.Name(name), attribute, ast.Store() | ast.Del()):
                yield name, attribute
            case ast.AugAssign(target):
                yield from _root(target)
            case ast.Call(ast.Attribute(owner, method)) if method in MUTATORS:
                yield from _root(owner)
            case ast.Call(
                ast.Name("setattr"), [ast.Name(name), ast.Constant(str() as attribute), _]
            ):
                yield name, attribute
            case ast.Call(ast.Name(name) | ast.Attribute(_, name), arguments) if name in _OTHERS:
                for argument in arguments[:1]:
                    yield from _root(argument)


def _root(node: ast.expr) -> Iterator[tuple[str, str | None]]:
    attribute = None
    while isinstance(node, ast.Attribute | ast.Subscript):
        attribute = node.attr if isinstance(node, ast.Attribute) else attribute
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id, attribute
