"""A served model against its own document: schemathesis asks for all that the document allows."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings

from runtime.conftest import Serve, Server

NOT_SET = schemathesis.core.NOT_SET

MODEL = """
from typing import Any, Optional, Union
from cog import BaseModel, BasePredictor, Input

class Output(BaseModel):
    seen: dict
    length: int

class Predictor(BasePredictor):
    def predict(
        self,
        text: str = Input(min_length=1, max_length=8, regex="^[a-z]"),
        steps: int = Input(default=1, ge=1, le=60),
        scale: float = Input(default=1.5, ge=0.5),
        flag: bool = False,
        size: str = Input(default="s", choices=["s", "m"]),
        tags: list[str] = [],
        anything: dict = {},
        either: Union[int, str] = 3,
        maybe: Optional[int] = None,
    ) -> Output:
        return Output(seen={"tags": tags, "anything": anything}, length=len(text))
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


@pytest.fixture(scope="module")
def document(server: Server) -> Any:
    return schemathesis.openapi.from_url(f"{server.client.base_url}/openapi.json")


EXAMPLES = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def cases(document: Any, path: str, method: str, mode: str = "positive") -> Any:
    """Return what to ask for: what the document allows, or, in the mode `negative`, does not."""
    mode_ = schemathesis.GenerationMode(mode)
    return document[path][method].as_strategy(generation_mode=mode_)


@pytest.mark.parametrize("path", ["/", "/health-check"])
def test_what_can_be_got_is_as_the_document_says(document: Any, path: str) -> None:
    @EXAMPLES
    @given(cases(document, path, "GET"))
    def check(case: Any) -> None:
        case.call_and_validate()

    check()


def test_a_request_that_the_document_allows_is_answered_as_it_says(document: Any) -> None:
    @EXAMPLES
    @given(cases(document, "/predictions", "POST"))
    def check(case: Any) -> None:
        # Cog's document does not say that there has to be a body, and an `input` in it, where one
        # of the inputs is needed.
        assume(isinstance(case.body, dict) and "input" in case.body)
        # Webhooks would be sent wherever the address leads.
        case.body.pop("webhook", None)
        assert case.call_and_validate().status_code == 200

    check()


def test_a_request_that_the_document_does_not_allow_is_refused(document: Any) -> None:
    @EXAMPLES
    @given(cases(document, "/predictions", "POST", "negative"))
    def check(case: Any) -> None:
        assume(case.body is not NOT_SET)
        response = case.call()
        if response.headers["content-type"][0].startswith("text/plain"):
            # As with Cog: what is wrong before the inputs is said in plain text, and Cog's
            # document knows neither this nor 400 and 415.
            assert response.status_code in {400, 415, 422}
        else:
            case.validate_response(response)

    check()


def test_canceling_what_is_not_there_is_answered_with_404(document: Any) -> None:
    @EXAMPLES
    @given(cases(document, "/predictions/{prediction_id}/cancel", "POST"))
    def check(case: Any) -> None:
        # Cog's document does not have this status.
        excluded = [schemathesis.checks.CHECKS.get_one("status_code_conformance")]
        assert case.call_and_validate(excluded_checks=excluded).status_code == 404

    check()
