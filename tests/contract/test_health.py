"""GET /health-check: how the server and its model are."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

from runtime.conftest import Server
from support.serving import Serve

MODEL = """
import pathlib, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self) -> None:
        print("setting up")

    def predict(self, until: str = "") -> str:
        while until and not pathlib.Path(until).exists():
            time.sleep(0.01)
        return "done"
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def test_health_has_a_status_setup_and_version_in_this_order(server: Server) -> None:
    response = server.client.get("/health-check")
    assert response.status_code == 200
    assert list(response.json()) == ["status", "setup", "version"]
    assert response.json()["status"] == "READY"
    assert response.json()["version"]["python"]


def test_setup_has_its_times_status_and_logs(server: Server) -> None:
    setup = server.health()["setup"]
    assert list(setup) == ["started_at", "completed_at", "status", "logs"]
    assert setup["status"] == "succeeded"
    begin, end = (
        datetime.datetime.fromisoformat(setup[name]) for name in ("started_at", "completed_at")
    )
    assert begin < end
    assert begin.utcoffset() == datetime.timedelta(0)


def test_the_logs_of_setup_are_what_it_prints(server: Server) -> None:
    assert server.health()["setup"]["logs"] == "setting up\n"


def test_it_is_busy_while_there_is_no_slot(server: Server, tmp_path: Path) -> None:
    body = {"input": {"until": str(tmp_path / "go")}}
    server.client.post("/predictions", json=body, headers={"prefer": "respond-async"})
    server.wait_for("BUSY")
    (tmp_path / "go").touch()
    server.wait_for("READY")


def test_it_is_answered_while_the_model_is_set_up(serve: Serve) -> None:
    server = serve(MODEL.replace('print("setting up")', "time.sleep(600)"), until=None)
    setup = server.health()["setup"]
    assert server.health()["status"] == "STARTING"
    assert setup["status"] == "starting"
    assert "completed_at" not in setup


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        ('raise ValueError("no weights")', "ValueError: no weights"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
    ids=["raises", "import", "exits"],
)
def test_a_setup_that_fails_says_why_and_the_server_goes_on(
    serve: Serve, setup: str, reason: str
) -> None:
    server = serve(MODEL.replace('print("setting up")', setup), until="SETUP_FAILED")
    health = server.health()
    assert health["setup"]["status"] == "failed"
    assert reason in health["setup"]["logs"]
    assert server.post().status_code == 503


def test_a_model_that_cannot_be_imported_has_failed_its_setup(serve: Serve) -> None:
    server = serve("import nothing_of_that_name\n" + MODEL, until="SETUP_FAILED")
    assert "nothing_of_that_name" in server.health()["setup"]["logs"]


def test_a_setup_that_takes_too_long_has_failed(serve: Serve) -> None:
    source = MODEL.replace('print("setting up")', "time.sleep(600)")
    server = serve(source, until="SETUP_FAILED", environment={"COG_SETUP_TIMEOUT": "1"})
    assert "timed out" in server.health()["setup"]["logs"]


@pytest.mark.parametrize("timeout", ["0", "soon"])
def test_a_limit_that_is_none_is_no_limit(serve: Serve, timeout: str) -> None:
    serve(MODEL, environment={"COG_SETUP_TIMEOUT": timeout})


@pytest.mark.parametrize("prefix", ["", "async "], ids=["plain", "async"])
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("return False", "Healthcheck failed: user-defined healthcheck returned False"),
        ("raise ValueError('ill')", "ValueError: ill"),
    ],
    ids=["false", "raises"],
)
def test_the_model_may_say_that_it_is_not_well(
    serve: Serve, prefix: str, body: str, error: str
) -> None:
    model = "async def" if prefix else "def"
    server = serve(
        f"""
        class Predictor:
            {prefix}def healthcheck(self) -> bool:
                {body}
            {model} run(self) -> str:
                return "done"
        """,
        until="UNHEALTHY",
    )
    response = server.client.get("/health-check")
    assert response.status_code == 200
    health = response.json()
    assert list(health) == ["status", "setup", "version", "user_healthcheck_error"]
    assert health["user_healthcheck_error"].endswith(error)


def test_a_model_that_does_not_say_in_time_is_not_well(serve: Serve) -> None:
    server = serve(
        """
        import time
        class Predictor:
            def healthcheck(self) -> bool:
                time.sleep(600)
            def run(self) -> str:
                return "done"
        """,
        until=None,
    )
    while (health := server.health())["setup"]["status"] == "starting":
        time.sleep(0.02)
    assert health["status"] == "UNHEALTHY"
    assert health["user_healthcheck_error"] == (
        "Healthcheck failed: user-defined healthcheck timed out after 5.0 seconds"
    )


def test_a_model_that_is_not_well_is_not_busy(serve: Serve, tmp_path: Path) -> None:
    server = serve(
        """
        import pathlib, time
        class Predictor:
            def healthcheck(self) -> bool:
                return not pathlib.Path("ill").exists()
            def run(self, until: str) -> str:
                pathlib.Path("ill").touch()
                while not pathlib.Path(until).exists():
                    time.sleep(0.01)
                return "done"
        """
    )
    body = {"input": {"until": str(tmp_path / "go")}}
    server.client.post("/predictions", json=body, headers={"prefer": "respond-async"})
    server.wait_for("UNHEALTHY")
    (tmp_path / "go").touch()


def test_a_model_that_is_well_is_ready(serve: Serve) -> None:
    server = serve(
        """
        class Predictor:
            def healthcheck(self) -> bool:
                return True
            def run(self) -> str:
                return "done"
        """
    )
    assert list(server.health()) == ["status", "setup", "version"]
