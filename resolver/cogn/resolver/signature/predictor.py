"""From the source of a predictor to its signature. Nothing is imported, nothing executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cogn.report import CognError, ProblemsError, Where
from cogn.resolver.signature.annotations import AnnotationReader
from cogn.resolver.signature.errors import PredictorError, UnknownValueError
from cogn.resolver.signature.execute import Interpreter
from cogn.resolver.signature.inputs import describe
from cogn.resolver.signature.modules import Modules
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.values import ClassValue, External, FunctionValue, Unknown
from cogn_runtime.schema import InputField, Signature, SignatureError, Type
from cogn_runtime.schema.annotations import SUPPORTED, input_type, output_type
from cogn_runtime.schema.rules import checked, checked_input
from cogn_runtime.schema.signature import OutputMode

__all__ = ["Method", "read_signature"]

Method = Literal["predict", "run", "train"]

_REFERENCE = "cog.yaml names the predictor as `predict.py:Predictor`"


def read_signature(
    root: Path, reference: str, method: Method = "predict", *, modules: Modules | None = None
) -> Signature:
    """Return the signature of the predictor at `reference`, `file.py:Class` or `file.py:function`.

    Of a class, it is that of `run()` or, without one, of `predict()`; with `train`, of `train()`.
    `modules`, when given, knows afterwards which files counted. Raises `PredictorError` for what
    cannot be served, its `UnknownValueError` for what only running the code would tell, and
    `ProblemsError` for several of them.
    """
    file, _, name = reference.partition(":")
    modules = modules or Modules(root)
    interpreter = Interpreter(modules)
    module = modules.main(file)
    interpreter.run_module(module)
    interpreter.begin_statement()
    if name not in module.frame.names:
        raise PredictorError(f"defines nothing called `{name}`", where=Where(file), hint=_REFERENCE)
    try:
        target = interpreter.resolve(module.frame.names[name])
    except Refusal as refusal:
        where = module.where(_binding(module.tree, name))
        raise UnknownValueError.because(name, str(refusal), where) from None
    if isinstance(target, Unknown):
        raise target.error
    if isinstance(target, ClassValue):
        attribute, function = _method_of(interpreter, target, method)
        skips_first = not function.is_marked("builtins.staticmethod")
        return _Reader(interpreter, function, f"{name}.{attribute}").read(int(skips_first))
    if isinstance(target, FunctionValue):
        return _Reader(interpreter, target, name).read(0)
    where = module.where(_binding(module.tree, name))
    if isinstance(target, External):
        msg = f"`{name}` comes from outside the project, from `{target}`"
        hint = "write a class in the project that inherits from it and has its own `run()`"
        raise PredictorError(msg, where=where, hint=hint)
    msg = f"`{name}` is neither a class nor a function"
    raise PredictorError(msg, where=where, hint=_REFERENCE)


def _binding(tree: ast.Module, name: str) -> ast.AST:
    """Return the last statement of a module that has to do with `name`."""
    for statement in reversed(tree.body):
        for node in ast.walk(statement):
            names = (getattr(node, each, None) for each in ("id", "name", "asname"))
            if name in names:
                return statement
    return tree


def _method_of(
    interpreter: Interpreter, cls: ClassValue, method: Method
) -> tuple[str, FunctionValue]:
    """Return the method that makes predictions and its name; raises PredictorError."""
    names = ("train",) if method == "train" else ("run", "predict")
    reason = ""
    for name in names:
        try:
            found = interpreter.class_attribute(cls, name)
        except Refusal as refusal:
            if "outside" in str(refusal):
                reason = f": {refusal}"
            continue
        if isinstance(found, Unknown):
            raise found.error
        if isinstance(found, FunctionValue):
            return name, found
    for base in cls.bases:
        if isinstance(base, Unknown):
            raise base.error
    raise PredictorError(
        f"{cls.name} must define {'() or '.join(names)}(){reason}",
        where=cls.frame.module.where(cls.node),
        hint=f"write `def {names[0]}(self, ...) -> ...:` in the class itself",
    )


class _Reader:
    """Reads one function, and collects what is wrong with it."""

    def __init__(self, interpreter: Interpreter, function: FunctionValue, name: str) -> None:
        self._interpreter = interpreter
        self._annotations = AnnotationReader(interpreter)
        self._function = function
        self._module = function.frame.module
        self._name = name
        self._problems: list[CognError] = []

    def read(self, skipped: int) -> Signature:
        """Return the signature without the `skipped` first parameters; raises all problems."""
        node = self._function.node
        declared = node.args
        positional = [*declared.posonlyargs, *declared.args][skipped:]
        inputs: list[InputField] = []
        for each in (*positional, declared.vararg, *declared.kwonlyargs, declared.kwarg):
            if each is None:
                continue
            where = f"parameter `{each.arg}` of {self._name}"
            with self._collected(each, where):
                if each in (*declared.posonlyargs, declared.vararg, declared.kwarg):
                    hint = "write an ordinary parameter for each input"
                    raise SignatureError(where, "inputs are given by name", hint)
                inputs.append(self._input(each, where))
        where = f"the return type of {self._name}"
        returns: ast.expr | None = getattr(node, "returns", None)
        output: tuple[Type, OutputMode] | None = None
        with self._collected(returns or node, where):
            if returns is None:
                raise SignatureError(where, "there is no annotation", "write `-> str`, for example")
            output = output_type(self._annotations.read(returns, self._function.frame), where)
        concurrency = 1
        with self._collected(node, self._name):
            concurrency = self._concurrency()
        if output is not None and not self._problems:
            signature = Signature(
                name=self._name,
                inputs=tuple(inputs),
                output=output[0],
                output_mode=output[1],
                streaming=self._function.is_marked("cog.streaming"),
                is_async=isinstance(node, ast.AsyncFunctionDef),
                concurrency=concurrency,
            )
            with self._collected(returns or node, where):
                return checked(signature)
        self._problems.sort(key=lambda problem: (problem.where and problem.where.line) or 0)
        raise self._problems[0] if len(self._problems) == 1 else ProblemsError(self._problems)

    @contextmanager
    def _collected(self, node: ast.AST, where: str) -> Iterator[None]:
        """Keep what goes wrong in the block, which is about `where` and stands at `node`."""
        self._interpreter.begin_statement()
        place = self._module.where(node)
        try:
            yield
        except SignatureError as error:
            message = f"{error.where}: {error.problem}"
            self._problems.append(PredictorError(message, where=place, hint=error.hint))
        except Refusal as refusal:
            self._problems.append(UnknownValueError.because(where, str(refusal), place))
        except UnknownValueError as error:
            named = error.message.startswith(where)
            self._problems.append(error if named else error.of(where))
        except CognError as error:
            self._problems += error.problems

    def _input(self, parameter: ast.arg, where: str) -> InputField:
        default = self._function.defaults.get(parameter.arg, ...)
        place = self._module.where(parameter)
        described = describe(default, where, place, self._interpreter)
        if parameter.annotation is None:
            raise SignatureError(where, "there is no type annotation", SUPPORTED)
        annotation = self._annotations.read(parameter.annotation, self._function.frame)
        type_, choices = input_type(annotation, where)
        ProblemsError.raise_if_any(described.problems)
        words = described.words
        if choices is not None:
            if words.get("choices") is not None:
                problem = "both Literal and choices list its values"
                raise SignatureError(where, problem, "keep one of them")
            words = {**words, "choices": choices}
        field = InputField(parameter.arg, type_, default=described.default, **words)
        return checked_input(field, self._name)

    def _concurrency(self) -> int:
        """Return what `@cog.concurrent` says; raises SignatureError for what Cog refuses."""
        concurrency = 1
        for decorator in self._function.decorators:
            if decorator.function != External("cog.concurrent"):
                continue
            most = decorator.keywords.get("max", 1)
            if isinstance(most, Unknown):
                raise most.error
            if isinstance(most, bool) or not isinstance(most, int) or most < 1:
                problem = "@concurrent(max=...) needs an integer from 1 on"
                raise SignatureError(self._name, problem, "write `@concurrent(max=4)`")
            if most > 1 and not isinstance(self._function.node, ast.AsyncFunctionDef):
                problem = "@concurrent(max > 1) requires an async run() or predict() method"
                raise SignatureError(self._name, problem, "make it `async def`")
            concurrency = most
        return concurrency
