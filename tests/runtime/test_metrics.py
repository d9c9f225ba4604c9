"""What Prometheus gets from /metrics."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.conftest import Serve, Server

MODEL = """
import os

class Predictor:
    def run(self, how: str = "") -> str:
        if how == "fail":
            raise ValueError
        if how == "die":
            os._exit(1)
        return how
"""


def samples(server: Server) -> dict[str, float]:
    """The values by name and labels."""
    response = server.client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_requests_predictions_and_the_state_of_the_model_are_measured(serve: Serve) -> None:
    server = serve(MODEL)
    server.predict()
    server.predict(how="fail")
    server.post(how=3)
    server.client.get("/made/up/by/a/client")
    server.client.request("DELETE", "/predictions")
    server.client.post("/predictions/x/cancel")
    measured = samples(server)
    assert measured["cogn_requests_total{method=POST,route=/predictions,status=200}"] == 2
    assert measured["cogn_requests_total{method=POST,route=/predictions,status=422}"] == 1
    assert measured["cogn_requests_total{method=other,route=/predictions,status=405}"] == 1
    assert measured["cogn_requests_total{method=other,route=other,status=404}"] == 1
    assert measured["cogn_requests_total{method=POST,route=/predictions/ID/cancel,status=404}"] == 1
    assert measured["cogn_predictions_total{status=succeeded}"] == 1
    assert measured["cogn_predictions_total{status=failed}"] == 1
    assert measured["cogn_prediction_seconds_count"] == 2
    assert measured["cogn_prediction_seconds_bucket{le=+Inf}"] == 2
    assert 0 < measured["cogn_prediction_seconds_sum"] < 10
    for name, value in (("ready", 1), ("slots", 1), ("slots_busy", 0), ("queue_length", 0)):
        assert measured[f"cogn_{name}"] == value
    assert 0 < measured["cogn_setup_seconds"] < 20
    assert not any("gpu" in name for name in measured)


def test_workers_that_replace_another_are_counted(serve: Serve) -> None:
    server = serve(MODEL)
    server.predict(how="die")
    assert samples(server)["cogn_ready"] == 0
    server.wait_for("READY")
    assert samples(server)["cogn_worker_restarts_total"] == 1


def test_the_memory_of_gpus_is_told_by_a_model_that_uses_torch(serve: Serve) -> None:
    torch = """
    class cuda:
        is_initialized = staticmethod(lambda: True)
        device_count = staticmethod(lambda: 2)
        memory_reserved = staticmethod(lambda device: device * 100)
        mem_get_info = staticmethod(lambda device: (300, 1000))
    """
    server = serve("import torch\n" + MODEL, files={"torch.py": torch})
    measured = samples(server)
    gpus = {name: value for name, value in measured.items() if "gpu" in name}
    assert gpus == {
        "cogn_gpu_memory_bytes{device=1,state=used}": 700,
        "cogn_gpu_memory_bytes{device=1,state=free}": 300,
    }


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_measured_is_told_before_the_model_is_ready(serve: Serve, path: str) -> None:
    waiting = "import time\nwhile True: time.sleep(1)\n"
    server = serve(waiting, until="STARTING")
    text = server.client.get(path).text
    assert re.search("cogn_ready 0.0|STARTING", text)
