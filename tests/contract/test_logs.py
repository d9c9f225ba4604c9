"""Logs: what is printed while a prediction is made."""

from __future__ import annotations

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import os, subprocess, sys
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, how: str = "") -> str:
        match how:
            case "streams":
                print("out", flush=True)
                print("error", file=sys.stderr, flush=True)
                print("out again", flush=True)
            case "unterminated":
                print("no newline", end="")
            case "descriptor":
                os.write(1, b"written\\n")
            case "subprocess":
                subprocess.run(["echo", "said"], check=True)
        return how
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def test_both_streams_are_in_the_logs_in_their_order(server: Server) -> None:
    assert server.predict(how="streams")["logs"] == "out\nerror\nout again\n"


def test_each_prediction_has_its_own(server: Server) -> None:
    server.predict(how="streams")
    assert server.predict()["logs"] == ""


@pytest.mark.parametrize("how", ["unterminated", "descriptor", "subprocess"])
def test_what_is_written_in_other_ways_is_in_the_logs(server: Server, how: str) -> None:
    expected = {"unterminated": "no newline", "descriptor": "written\n", "subprocess": "said\n"}
    assert server.predict(how=how)["logs"] == expected[how]
