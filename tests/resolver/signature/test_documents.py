"""Whole OpenAPI documents, as they are made from source and from the loaded code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from cogn.resolver.signature import read_signature
from cogn_runtime.schema import render
from support.predictors import live_signature

CASES = Path(__file__).parents[2] / "cases" / "openapi"
NAMES = sorted(path.stem for path in CASES.glob("*.json"))


def made(name: str, *, live: bool) -> dict[str, Any]:
    """The document of a case; of a case with `train()`, that of both."""
    signature = live_signature if live else read_signature
    train = None
    if name == "predict_and_train":
        train = signature(CASES, f"{name}.py:train", "train")
    return render(signature(CASES, f"{name}.py:Predictor"), train=train, version="0.22.0")


def test_every_case_has_its_document() -> None:
    assert sorted(path.stem for path in CASES.glob("*.py")) == NAMES
    assert len(NAMES) >= 25


@pytest.mark.parametrize("live", [False, True], ids=["source", "loaded"])
@pytest.mark.parametrize("name", NAMES)
def test_the_document_is_the_recorded_one(name: str, live: bool) -> None:
    recorded = (CASES / f"{name}.json").read_text("utf-8").rstrip("\n")
    # As text, because 1 and 1.0 are equal.
    assert json.dumps(made(name, live=live), indent=1, sort_keys=True) == recorded


@pytest.mark.parametrize("name", NAMES)
def test_the_document_is_valid_openapi(name: str) -> None:
    assert list(OpenAPIV30SpecValidator(made(name, live=False)).iter_errors()) == []


@pytest.mark.parametrize("name", NAMES)
def test_properties_keep_their_order(name: str) -> None:
    schemas = made(name, live=False)["components"]["schemas"]
    properties = list(schemas["Input"]["properties"].values())
    assert [each["x-order"] for each in properties] == list(range(len(properties)))
