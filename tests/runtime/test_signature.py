"""From loaded code to its signature."""

from __future__ import annotations

import collections.abc
import json
import re
import typing
from collections.abc import Callable
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union  # noqa: UP035

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cog
from cog import Input
from cogn_runtime.schema import (
    AnyObject,
    InputField,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Record,
    RecordField,
    Scalar,
    Signature,
    SignatureError,
)
from cogn_runtime.schema.live import signature_of


class Meta(TypedDict, total=False):
    author: str


class Inner(cog.BaseModel):
    constant: typing.ClassVar[int] = 3
    label: str
    maybe: Optional[str]  # noqa: UP045
    score: float = 0.5


class Loop(cog.BaseModel):
    again: list[Loop]


class Pydantic(pydantic.BaseModel):
    x: int
    y: int = 3


def an_input(annotation: object, default: object = ...) -> InputField:
    """The field for a parameter `x`."""

    def run(x: object) -> None: ...

    run.__annotations__ = {"x": annotation, "return": str}
    if default is not ...:
        run.__defaults__ = (default,)
    (field,) = signature_of(run, "run").inputs
    return field


def an_output(annotation: object) -> Signature:
    def run() -> None: ...

    run.__annotations__ = {"return": annotation}
    return signature_of(run, "run")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, Scalar("str")),
        ("int", Scalar("int")),
        (float, Scalar("float")),
        (bool, Scalar("bool")),
        (cog.Path, Scalar("path")),
        ("typing.Any", AnyObject()),
        (cog.File, Scalar("file")),
        (cog.Secret, Scalar("secret")),
        (dict, AnyObject()),
        (Dict[str, int], AnyObject()),  # noqa: UP006
        (Meta, AnyObject()),
        (list[str], ListOf(Scalar("str"))),
        (List[cog.Path], ListOf(Scalar("path"))),  # noqa: UP006
        (list[Any], ListOf(AnyObject())),
        (Optional[int], Nullable(Scalar("int"))),  # noqa: UP045
        ("list[str] | None", Nullable(ListOf(Scalar("str")))),
        (Union[int, str], OneOf((Scalar("int"), Scalar("str")))),  # noqa: UP007
        ("int | None | str", Nullable(OneOf((Scalar("int"), Scalar("str"))))),
        (typing.Annotated[int, "ignored"], Scalar("int")),
    ],
)
def test_the_type_of_an_input_is_read(annotation: object, expected: object) -> None:
    assert an_input(annotation).type == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, Scalar("str")),
        (cog.Path, Scalar("path")),
        (Any, AnyObject()),
        (dict, AnyObject()),
        (dict[str, Any], AnyObject()),
        (dict[str, list[int]], MapOf(ListOf(Scalar("int")))),
        (list, ListOf(AnyObject())),
        (list[list[cog.Path]], ListOf(ListOf(Scalar("path")))),
        (Meta, Record((RecordField("author", Scalar("str"), required=False),))),
        (
            Pydantic,
            Record(
                (
                    RecordField("x", Scalar("int"), required=True),
                    RecordField("y", Scalar("int"), required=False),
                )
            ),
        ),
        (
            Inner,
            Record(
                (
                    RecordField("label", Scalar("str"), required=True),
                    RecordField("maybe", Nullable(Scalar("str")), required=False),
                    RecordField("score", Scalar("float"), required=False),
                )
            ),
        ),
    ],
)
def test_the_type_of_an_output_is_read(annotation: object, expected: object) -> None:
    assert an_output(annotation).output == expected


def test_iterators_tell_how_their_items_belong_together() -> None:
    modes = {
        name: (signature.output, signature.output_mode)
        for name, signature in {
            "iterator": an_output(collections.abc.Iterator[int]),
            "typing": an_output(typing.Iterator[int]),
            "generator": an_output(collections.abc.Generator[int, None, None]),
            "concatenate": an_output(cog.ConcatenateIterator[str]),
        }.items()
    }
    assert modes == {
        "iterator": (Scalar("int"), "iterator"),
        "typing": (Scalar("int"), "iterator"),
        "generator": (Scalar("int"), "iterator"),
        "concatenate": (Scalar("str"), "concatenate"),
    }


def test_only_a_default_of_none_on_an_optional_or_a_secret_is_one() -> None:
    assert an_input(int, Input(default=None)).required
    assert an_input(Any, None).required
    assert not an_input(Optional[int]).required  # noqa: UP045
    assert an_input(Optional[int], None).default is None  # noqa: UP045
    secret = an_input(cog.Secret, Input(default=None))
    assert (secret.type, secret.default) == (Nullable(Scalar("secret")), None)


def test_a_literal_lists_choices() -> None:
    field = an_input(Literal["a", "b"], "b")
    assert (field.type, field.choices, field.default) == (Scalar("str"), ("a", "b"), "b")
    optional = an_input(Optional[Literal[1, 2]])  # noqa: UP045
    assert (optional.type, optional.choices) == (Nullable(Scalar("int")), (1, 2))


def test_defaults_are_written_as_json() -> None:
    assert an_input(cog.Path, cog.Path("x.png")).default == "x.png"
    assert an_input(cog.Secret, cog.Secret("s")).default == "s"
    assert an_input(list[int], Input(default=[1])).default == [1]


def variadic(*words: str) -> str: ...  # type: ignore[empty-body]


def bare(x) -> str: ...  # type: ignore[no-untyped-def, empty-body]  # noqa: ANN001


def silent(x: int): ...  # type: ignore[no-untyped-def]  # noqa: ANN201


@cog.streaming
def whole() -> str: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: an_input(set[int]), "the type `set[int]` is not supported; use str, int,"),
        (lambda: an_input(list), "the type `list` is not supported"),
        (lambda: an_input(list[list[int]]), "a list of lists, of optional"),
        (lambda: an_input(Union[int, cog.Path]), "a union can only be of str,"),  # noqa: UP007
        (lambda: an_input(Inner), "the type `Inner` is not supported"),
        (lambda: an_input("Nowhere"), "cannot be evaluated: name 'Nowhere' is not defined"),
        (lambda: an_input("not python"), "the annotation cannot be evaluated"),
        (lambda: an_input(Literal[1, "a"]), "a Literal can be of text or of integers"),
        (lambda: an_input(Literal["a"], Input(choices=["a"])), "both Literal and choices"),
        (lambda: an_input(str, Input(ge=1)), "ge and le bound numbers only"),
        (lambda: an_input(str, Input(default="x", ge=1)), "ge and le bound numbers only"),
        (lambda: an_input(int, Input(max_length=1)), "min_length, max_length and regex"),
        (lambda: an_input(str, Input(regex="(")), "regex '(' is not a regular expression"),
        (lambda: an_input(str, Input(accept="image/*")), "accept is only valid on Path"),
        (lambda: an_input(bool, Input(choices=[True])), "choices need a parameter of type"),
        (lambda: an_input(str, Input(choices=[])), "choices is empty"),
        (lambda: an_input(str, Input(choices=[1])), "choices are not of the annotated type"),
        (lambda: an_input(int, Input(default=9, le=5)), "9 is greater than the maximum of 5"),
        (lambda: an_input(str, Input(default="c", choices=["a"])), '"c" is not one of ["a"]'),
        (lambda: an_input(int, "1"), '"1" is not of type "integer"'),
        (lambda: an_input(Any, {1, 2}), "the default {1, 2} cannot be written as JSON"),
        (lambda: signature_of(variadic, "f"), "parameter `words` of f: inputs are given by name"),
        (lambda: signature_of(bare, "f"), "parameter `x` of f: there is no type annotation"),
        (lambda: signature_of(silent, "f"), "the return type of f: there is no annotation"),
        (lambda: signature_of(whole, "f"), "@streaming needs an iterator"),
        (lambda: an_output(Optional[int]), "Optional is not allowed as a return type"),  # noqa: UP045
        (lambda: an_output(typing.Iterator), "the type of the items is missing"),
        (lambda: an_output(cog.ConcatenateIterator[int]), "only text can be concatenated"),
        (lambda: an_output(Loop), "Loop contains itself"),
        (lambda: an_output(None), "the type `NoneType` is not supported"),
        (lambda: an_output(Union[int, str]), "is not supported"),  # noqa: UP007
    ],
)
def test_what_cannot_be_served_is_refused_with_a_reason_and_a_way_out(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(SignatureError, match=re.escape(message)) as refusal:
        make()
    assert refusal.value.where
    assert refusal.value.hint


scalars = st.builds(Scalar, st.sampled_from(["str", "int", "float", "bool", "path", "secret"]))
types = st.recursive(
    scalars | st.just(AnyObject()),
    lambda inner: st.one_of(
        st.builds(ListOf, inner),
        st.builds(MapOf, inner),
        st.builds(Nullable, inner),
        st.builds(OneOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(
            Record, st.lists(st.builds(RecordField, st.text(), inner, st.booleans())).map(tuple)
        ),
    ),
    max_leaves=5,
)
fields = st.builds(
    InputField,
    name=st.text(),
    type=types,
    default=st.none() | st.integers() | st.lists(st.text()),
    description=st.none() | st.text(),
    ge=st.none() | st.integers(),
    choices=st.none() | st.lists(st.text()).map(tuple),
    deprecated=st.booleans(),
)
signatures = st.builds(
    Signature,
    name=st.text(),
    inputs=st.lists(fields, max_size=3).map(tuple),
    output=types,
    output_mode=st.sampled_from(["value", "iterator", "concatenate"]),
    streaming=st.booleans(),
)


@given(signatures)
def test_a_signature_survives_its_json_form(signature: Signature) -> None:
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


@pytest.mark.parametrize("change", [{"output_mode": "loud"}, {"output": {"kind": "what"}}])
def test_what_is_no_signature_is_not_read_as_one(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        Signature.from_json({**an_output(str).to_json(), **change})
