"""A model whose process dies."""

from __future__ import annotations

import pytest

from support.serving import Serve

MODEL = """
import ctypes, os, signal
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, how: str = "") -> str:
        match how:
            case "exit":
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                ctypes.string_at(0)
        return "done"
"""


@pytest.mark.parametrize("how", ["exit", "kill", "segfault"])
def test_the_prediction_has_failed(serve: Serve, how: str) -> None:
    response = serve(MODEL).post(how=how)
    assert response.status_code == 200
    failed = response.json()
    assert list(failed) == ["error", "id", "logs", "metrics", "status"]
    assert failed["status"] == "failed"
    assert "Worker crashed" in failed["error"]


def test_the_error_says_how_it_died(serve: Serve) -> None:
    assert "SIGKILL" in serve(MODEL).predict(how="kill")["error"]


def test_another_worker_makes_the_next_prediction(serve: Serve) -> None:
    server = serve(MODEL)
    server.predict(how="kill")
    server.wait(lambda: server.post().status_code == 200, seconds=5)
