"""The OpenAPI document, compared with those that Cog makes of the same code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

import cog
from cog import Input
from cogn_runtime.schema import Signature, SignatureError, render
from cogn_runtime.schema.live import signature_of
from cogn_runtime.worker.loader import load

CASES = Path(__file__).parents[1] / "cases" / "openapi"


def signature(case: str, name: str = "Predictor") -> Signature:
    return load(f"{CASES / case}.py:{name}").signature


def document(function: Any) -> dict[str, Any]:
    return render(signature_of(function, "run"), version="0")


def recorded(case: str) -> Any:
    return json.loads((CASES / f"{case}.json").read_text("utf-8"))


@pytest.mark.parametrize("case", ["all_types", "hello_world", "streaming_text"])
def test_the_document_is_the_one_that_cog_makes(case: str) -> None:
    assert render(signature(case), version="0.22.0") == recorded(case)


def test_a_model_that_trains_has_the_paths_of_both() -> None:
    case = "predict_and_train"
    made = render(signature(case), train=signature(case, "train"), version="0.22.0")
    assert made == recorded(case)


@pytest.mark.parametrize("case", ["all_types", "streaming_text"])
def test_the_document_is_valid_openapi(case: str) -> None:
    made = render(signature(case), version="0")
    assert list(OpenAPIV30SpecValidator(made).iter_errors()) == []


def test_properties_keep_the_order_of_the_parameters() -> None:
    schemas = render(signature("all_types"), version="0")["components"]["schemas"]
    orders = [each["x-order"] for each in schemas["Input"]["properties"].values()]
    assert orders == list(range(19))
    assert list(schemas)[:4] == ["Input", "Output", "style", "size"]


def test_text_that_is_concatenated_says_so() -> None:
    def run() -> cog.ConcatenateIterator[str]: ...  # type: ignore[empty-body]

    assert document(run)["components"]["schemas"]["Output"] == {
        "title": "Output",
        "type": "array",
        "items": {"type": "string"},
        "x-cog-array-type": "iterator",
        "x-cog-array-display": "concatenate",
    }


def test_a_model_without_inputs_requires_none() -> None:
    def run() -> str: ...  # type: ignore[empty-body]

    schema = document(run)["components"]["schemas"]["Input"]
    assert schema == {"title": "Input", "type": "object", "properties": {}}


def test_optional_choices_are_nullable_and_whole_numbers_have_no_point() -> None:
    def run(  # type: ignore[empty-body]
        size: Optional[Literal["s", "m"]] = None,  # noqa: UP045
        scale: float = Input(default=2.0, ge=1.0),
    ) -> str: ...

    properties = document(run)["components"]["schemas"]["Input"]["properties"]
    assert properties["size"] == {
        "allOf": [{"$ref": "#/components/schemas/size"}],
        "nullable": True,
        "default": None,
        "x-order": 0,
    }
    assert json.dumps(properties["scale"]).count(".") == 0


def test_choices_of_an_input_named_like_a_part_of_the_document_are_refused() -> None:
    def run(Status: str = Input(choices=["a"])) -> str: ...  # type: ignore[empty-body]  # noqa: N803

    with pytest.raises(SignatureError, match="another schema of this name"):
        document(run)
