"""Reads annotations in source into the form that `cogn_runtime.schema.annotations` gives them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from cogn.resolver.signature.evaluate import Evaluator
from cogn.resolver.signature.modules import parse_expression
from cogn.resolver.signature.operations import Refusal
from cogn.resolver.signature.outside import PATHS
from cogn.resolver.signature.values import (
    Call,
    ClassValue,
    EnumMember,
    External,
    Frame,
    Subscripted,
    UnionOf,
    Unknown,
    shown,
)
from cogn_runtime.schema import SignatureError
from cogn_runtime.schema.annotations import (
    Alternatives,
    Annotation,
    Choice,
    DictAnnotation,
    Iteration,
    ListAnnotation,
    Model,
    ModelField,
    Named,
    NamedType,
    Opaque,
    Unsupported,
    is_optional,
)
from cogn_runtime.schema.signature import OutputMode

__all__ = ["AnnotationReader"]

_NAMED: dict[str, NamedType] = {
    "builtins.str": "str",
    "typing.Text": "str",
    "builtins.int": "int",
    "builtins.float": "float",
    "builtins.bool": "bool",
    "cog.File": "file",
    "cog.Secret": "secret",
    "typing.Any": "object",
    "builtins.dict": "object",
    "typing.Dict": "object",
    "builtins.list": "list",
    "typing.List": "list",
    "types.NoneType": "none",
    **dict.fromkeys(PATHS, "path"),
}
_ITERATORS: dict[str, OutputMode] = {
    "cog.ConcatenateIterator": "concatenate",
    "cog.AsyncConcatenateIterator": "concatenate",
    "typing.Iterator": "iterator",
    "typing.Iterable": "iterator",
    "typing.Generator": "iterator",
    "typing.AsyncIterator": "iterator",
    "typing.AsyncIterable": "iterator",
    "typing.AsyncGenerator": "iterator",
}
_DATACLASSES = (External("dataclasses.dataclass"), External("pydantic.dataclasses.dataclass"))
_DEEPEST = 50
_STEPS_A_FIELD = 20
_NO_FIELDS = (
    External("typing.ClassVar"),
    External("dataclasses.InitVar"),
    External("dataclasses.KW_ONLY"),
)


class AnnotationReader:
    """Reads annotations with the names that an evaluator knows."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._depth = 0
        self._line = 1

    def read(self, node: ast.expr, frame: Frame) -> Annotation:
        """Return what an annotation says.

        Raises UnknownValueError when that cannot be known, or is no annotation at all.
        """
        # Annotations are looked up when all of the module is known, and in it alone if they are
        # strings: that is how Python does it.
        self._line = node.lineno
        scope = frame.module.frame if frame.module.has_string_annotations else frame
        try:
            return self._read(self._evaluator.evaluate(node, scope), frame)
        except Refusal as refusal:
            raise self._evaluator.unknown(node, frame, str(refusal)) from None

    def _read(self, value: object, frame: Frame) -> Annotation:
        self._depth += 1
        try:
            self._evaluator.spend(1)
            if self._depth > _DEEPEST:
                raise Refusal("it is nested too deeply")
            return self._annotation(value, frame)
        finally:
            self._depth -= 1

    def _annotation(self, value: object, frame: Frame) -> Annotation:
        match value:
            case None:
                return Named("none")
            case str():
                return self._text(value, frame)
            case Unknown(error):
                raise error
            case External(path):
                if path in _NAMED:
                    return Named(_NAMED[path])
                if path in _ITERATORS:
                    return Iteration(_ITERATORS[path], None)
                return Unsupported(repr(value), _reason(value))
            case UnionOf(of):
                return _alternatives([self._read(each, frame) for each in of])
            case Subscripted(External(path), arguments):
                return self._generic(path, arguments, value, frame)
            case ClassValue():
                return self._class(value)
        return Unsupported(_shown(value), _reason(value))

    def _text(self, text: str, frame: Frame) -> Annotation:
        module = frame.module.frame
        return self._read(self._evaluator.evaluate(self._parsed(text), module), frame)

    def _parsed(self, text: str) -> ast.expr:
        try:
            return parse_expression(text, self._line)
        except SyntaxError:
            raise Refusal(f"`{text[:80]}` is no expression") from None

    def _generic(
        self, path: str, arguments: Sequence[object], value: Subscripted, frame: Frame
    ) -> Annotation:
        first = arguments[0] if arguments else None
        match path:
            case "typing.Optional":
                return _alternatives([self._read(first, frame), Named("none")])
            case "typing.Union":
                return _alternatives([self._read(each, frame) for each in arguments])
            case "typing.Literal":
                return Choice(tuple(_literal(arguments)))
            case "typing.Annotated":
                inner = self._read(first, frame)
                is_opaque = External("cog.Opaque") in arguments[1:]
                return Opaque(inner) if is_opaque else inner
            case "builtins.list" | "typing.List" if len(arguments) == 1:
                return ListAnnotation(self._read(first, frame))
            case "builtins.dict" | "typing.Dict" if len(arguments) == 2:
                return DictAnnotation(self._read(arguments[1], frame))
        if path in _ITERATORS:
            return Iteration(_ITERATORS[path], self._read(first, frame))
        return Unsupported(_shown(value), _reason(value))

    def _class(self, cls: ClassValue) -> Annotation:
        if cls.inherits(*PATHS):
            return Named("path")
        for base in cls.mro():
            if isinstance(base, ClassValue):
                for each in base.bases:
                    if isinstance(each, Unknown):
                        raise each.error
        if cls.members is not None:
            return Unsupported(
                cls.name,
                f"annotate it with `str` and `choices=[each.value for each in {cls.name}]`",
            )
        is_typed_dict = _is_typed_dict(cls)
        if not is_typed_dict and not _is_record(cls):
            return Unsupported(cls.name)
        return Model(cls.name, cls, is_typed_dict, lambda: self._fields(cls))

    def _fields(self, cls: ClassValue) -> Iterator[ModelField]:
        """Yield the fields of a class and of those that it inherits from, as Python orders them."""
        fields: dict[str, tuple[ast.AnnAssign, ClassValue]] = {}
        is_pydantic, is_typed_dict = cls.inherits("pydantic.BaseModel"), _is_typed_dict(cls)
        for base in reversed(cls.mro()):
            if isinstance(base, ClassValue) and (
                is_pydantic or is_typed_dict or _makes_dataclass(base)
            ):
                fields |= {name: (node, base) for name, node in base.annotations.items()}
        defaulted = None
        for name, (node, owner) in fields.items():
            if is_pydantic and name.startswith("_"):
                continue
            self._evaluator.spend(_STEPS_A_FIELD)
            hint = self._evaluator.evaluate_or_unknown(node.annotation, _scope(owner))
            if isinstance(hint, str):
                hint = self._evaluator.evaluate(self._parsed(hint), owner.frame.module.frame)
            if isinstance(hint, Unknown):
                raise hint.error
            origin = hint.origin if isinstance(hint, Subscripted) else hint
            if origin in _NO_FIELDS:
                continue
            if is_typed_dict:
                required = owner.keywords.get("total") is not False
            else:
                required = self._is_required(node, owner) and not (
                    is_pydantic
                    and isinstance(hint, Subscripted)
                    and any(map(_gives, hint.arguments))
                )
            if owner.inherits("cog.BaseModel") and owner.keywords.get("init") is not False:
                if required and defaulted is not None:
                    raise SignatureError(
                        f"field `{name}` of {cls.name}",
                        f"it has no default, and `{defaulted}` before it has one",
                        "give it a default, or put it first",
                    )
                defaulted = defaulted if required else name
            while isinstance(hint, Subscripted) and hint.origin in (
                External("typing.Required"),
                External("typing.NotRequired"),
            ):
                required = hint.origin == External("typing.Required")
                hint = hint.arguments[0]
            annotation = self._read(hint, owner.frame)
            may_lack = is_optional(annotation) and not is_typed_dict
            yield ModelField(name, annotation, required and not may_lack)

    def _is_required(self, node: ast.AnnAssign, owner: ClassValue) -> bool:
        """Tell whether a field has no default."""
        if node.value is None:
            return True
        default = self._evaluator.evaluate_or_unknown(node.value, owner.frame)
        if not isinstance(default, Call) or default.function not in (
            "dataclasses.field",
            "pydantic.Field",
        ):
            return default is ...
        return not _gives(default)


def _gives(value: object) -> bool:
    """Tell whether a value is a `Field(...)` or `field(...)` that has a default."""
    if not isinstance(value, Call):
        return False
    given = [*value.arguments, value.keywords.get("default", ...)]
    return given[0] is not ... or "default_factory" in value.keywords


def _scope(cls: ClassValue) -> Frame:
    module = cls.frame.module
    return module.frame if module.has_string_annotations else cls.frame


def _is_typed_dict(cls: ClassValue) -> bool:
    return cls.inherits("typing.TypedDict")


def _is_record(cls: ClassValue) -> bool:
    return cls.inherits("pydantic.BaseModel") or any(
        isinstance(base, ClassValue) and _makes_dataclass(base) for base in cls.mro()
    )


def _makes_dataclass(cls: ClassValue) -> bool:
    """Tell whether the fields of this very class are those of a dataclass."""
    if any(each.function in _DATACLASSES for each in cls.decorators):
        return True
    return cls.inherits("cog.BaseModel") and cls.keywords.get("auto_dataclass") is not False


def _alternatives(parts: list[Annotation]) -> Annotation:
    flat: list[Annotation] = []
    for part in parts:
        flat += part.of if isinstance(part, Alternatives) else (part,)
    unique = [each for index, each in enumerate(flat) if each not in flat[:index]]
    return unique[0] if len(unique) == 1 else Alternatives(tuple(unique))


def _literal(arguments: Sequence[object]) -> list[object]:
    """Return the values of a Literal, those of Literals in it in their place, each once."""
    found: list[object] = []
    for each in arguments:
        nested = isinstance(each, Subscripted) and each.origin == External("typing.Literal")
        values = _literal(each.arguments) if isinstance(each, Subscripted) and nested else [each]
        for value in values:
            if isinstance(value, Unknown):
                raise value.error
            if not any(type(value) is type(known) and value == known for known in found):
                found.append(value)
    return found


def _reason(value: object) -> str | None:
    origin = value.origin if isinstance(value, Subscripted) else value
    if isinstance(origin, External) and origin.path.partition(".")[0] not in _KNOWN_HOMES:
        return "it comes from outside the project, so nothing is known of it"
    return None


_KNOWN_HOMES = ("builtins", "typing", "cog", "pathlib", "collections")


def _shown(value: Any) -> str:  # noqa: ANN401 - any value at all
    match value:
        case ClassValue():
            return value.name
        case Subscripted(origin, arguments):
            return f"{_shown(origin)}[{', '.join(map(_shown, arguments))}]"
        case UnionOf(of):
            return " | ".join(map(_shown, of))
        case EnumMember() | External():
            return repr(value)
        case Call(function):
            return f"{function}(...)"
        case ast.AST():
            return shown(value)
    return repr(value)[:80] if isinstance(value, str | int | float | None) else "..."
