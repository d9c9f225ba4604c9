"""Checking inputs, against the JSON Schema of the OpenAPI document as the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from cogn_runtime.front.validation import InvalidInputError, validated
from cogn_runtime.schema import (
    AnyObject,
    InputField,
    ListOf,
    Nullable,
    OneOf,
    Scalar,
    Signature,
    problems,
    render,
)

FIELDS = (
    InputField("text", Scalar("str"), min_length=1, max_length=3, regex="^[a-c]"),
    InputField("count", Scalar("int"), ge=0, le=5),
    InputField("scale", Scalar("float"), default=1.5, ge=0.5),
    InputField("flag", Scalar("bool"), default=False),
    InputField("image", Nullable(Scalar("path"))),
    InputField("size", Scalar("str"), choices=("s", "m"), default="s"),
    InputField("power", Nullable(Scalar("int")), choices=(1, 2)),
    InputField("tags", ListOf(Scalar("str")), default=[]),
    InputField("either", OneOf((Scalar("int"), Scalar("str"))), default=3),
    InputField("maybe", Nullable(OneOf((Scalar("bool"), Scalar("float"))))),
    InputField("options", AnyObject(), default={}),
    InputField("name", Scalar("str"), default="x", min_length=1),
)
SIGNATURE = Signature("run", FIELDS, Scalar("str"))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 7)
    | st.sampled_from([0.5, 1.0, 2.5, 3.0])
    | st.text("abc", max_size=4)
    | st.sampled_from(["s", "m", "é", "\U0001f600"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)
inputs = st.dictionaries(st.sampled_from([field.name for field in FIELDS]), values, max_size=12)


def in_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Write OpenAPI's `nullable` as JSON Schema does."""
    plain = {key: value for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") else plain


def oracle() -> OAS31Validator:
    """The validator of JSON Schema 2020-12 for the document's own schema of the input."""
    schemas = render(SIGNATURE, version="0")["components"]["schemas"]
    properties = schemas["Input"]["properties"]
    plain = {name: in_json_schema(schema) for name, schema in properties.items()}
    return OAS31Validator(
        {**schemas["Input"], "properties": plain, "components": {"schemas": schemas}}
    )


ORACLE = oracle()


@given(inputs)
def test_the_validator_agrees_with_the_openapi_document(given_: dict[str, Any]) -> None:
    expected = {
        str(error.path[0]) if error.path else "a required one"
        for error in ORACLE.iter_errors(given_)
    }
    try:
        complete, unknown = validated(SIGNATURE, given_)
    except InvalidInputError as error:
        places = {
            "a required one"
            if each["type"] == "value_error.missing"
            else each["loc"][-1].split("/")[0]
            for each in error.detail
        }
        assert places == expected
        names = [each["loc"][-1] for each in error.detail]
        assert names == sorted(names)
    else:
        assert expected == set()
        assert unknown == []
        assert list(complete) == [field.name for field in FIELDS]
        assert given_.items() <= complete.items()


def test_what_is_not_given_is_filled_in_and_what_is_unknown_is_named() -> None:
    complete, unknown = validated(SIGNATURE, {"text": "a", "count": 1, "z": 0, "y": 0})
    assert unknown == ["y", "z"]
    assert complete["scale"] == 1.5
    assert complete["image"] is None
    assert complete["text"] == "a"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("text", 3, '3 is not of type "string"'),
        ("text", None, 'null is not of type "string"'),
        ("name", "", '"" is shorter than 1 character'),
        ("text", "aaaa", '"aaaa" is longer than 3 characters'),
        ("text", "é", '"é" does not match "^[a-c]"'),
        ("count", True, 'true is not of type "integer"'),
        ("count", 1.5, '1.5 is not of type "integer"'),
        ("count", 60, "60 is greater than the maximum of 5"),
        ("scale", 0.25, "0.25 is less than the minimum of 0.5"),
        ("scale", "1", '"1" is not of type "number"'),
        ("flag", 0, '0 is not of type "boolean"'),
        ("size", "zzz", '"zzz" is not one of ["s","m"]'),
        ("tags", "a", '"a" is not of type "array"'),
        ("options", [], '[] is not of type "object"'),
        (
            "either",
            [1],
            "[1] is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
    ],
)
def test_messages_are_those_of_cog(field: str, value: object, message: str) -> None:
    (spec,) = (each for each in FIELDS if each.name == field)
    assert [each.message for each in problems(spec, value)] == [message]


def test_every_item_that_is_wrong_has_its_place() -> None:
    spec = InputField("xs", ListOf(Scalar("int")))
    assert [each.place for each in problems(spec, ["a", 1, None])] == ["xs/0", "xs/2"]
