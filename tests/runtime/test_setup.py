"""From the start of the server to a model that is ready, or cannot be."""

from __future__ import annotations

import dataclasses
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cog.server import http as launcher
from cogn_runtime.front.options import read_options

if TYPE_CHECKING:
    from runtime.conftest import Serve
from support.debian import serving

HELLO = """
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self) -> str:
        return "hello"
"""


def test_the_port_is_open_and_says_so_before_the_model_is_ready(
    serve: Serve, tmp_path: Path
) -> None:
    source = """
    import pathlib, time
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def setup(self):
            print("loading")
            while not pathlib.Path("go").exists():
                time.sleep(0.01)

        def predict(self) -> str:
            return "hello"
    """
    server = serve(source, until="STARTING")
    refused = server.post()
    assert refused.status_code == 503
    assert refused.json() == {
        "error": "Setup has not finished yet. "
        "Wait until it has finished, or GET /health-check for status.",
        "status": "failed",
    }
    server.wait(lambda: server.health()["setup"]["logs"] == "loading\n")
    assert "completed_at" not in server.health()["setup"]
    assert server.client.get("/openapi.json").status_code == 200
    (tmp_path / "model0" / "go").touch()
    server.wait_for("READY")
    assert server.predict()["output"] == "hello"


def test_no_openapi_document_is_served_until_the_model_is_loaded(
    serve: Serve, tmp_path: Path
) -> None:
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    server = serve(waiting + HELLO, until="STARTING")
    response = server.client.get("/openapi.json")
    assert response.status_code == 503
    assert response.json() == {"error": "OpenAPI schema not available"}
    (tmp_path / "model0" / "go").touch()
    server.wait_for("READY")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of"),
        ("class Predictor:\n    pass", "Predictor must define run() or predict()"),
        ("", "predict.py defines nothing called Predictor"),
        ("Predictor = 3", "Predictor in predict.py is neither a class nor a function"),
        ("class Predictor: (", "SyntaxError: "),
        ("def Predictor(x) -> int: ...", "parameter `x` of Predictor: there is no type annotation"),
        ("def Predictor() -> int: ...\nimport sys; sys.exit(4)", "SystemExit: 4"),
        ("import os; os._exit(4)", "the worker died: it exited with code 4"),
        (
            HELLO
            + "    def setup(self):\n        print('tried')\n        raise OSError('no disk')",
            "OSError: no disk",
        ),
    ],
)
def test_a_model_that_cannot_be_set_up_leaves_a_server_that_says_why(
    serve: Serve, source: str, reason: str
) -> None:
    server = serve(source, until="SETUP_FAILED")
    setup = server.health()["setup"]
    assert setup["status"] == "failed"
    assert f"Setup failed: {reason}" in setup["logs"]
    assert ("tried\nTraceback" in setup["logs"]) == ("tried" in source)
    assert server.post().status_code == 503


def test_a_reference_to_no_file_fails_setup(serve: Serve) -> None:
    for reference, reason in (
        ("other.py:Predictor", "there is no Python file other.py"),
        ("predict.py", "'predict.py' does not name a model; write it as predict.py:Predictor"),
    ):
        server = serve(HELLO, reference=reference, until="SETUP_FAILED")
        assert reason in server.health()["setup"]["logs"]


def test_setup_that_takes_too_long_fails(serve: Serve) -> None:
    source = HELLO + "    def setup(self):\n        import time; time.sleep(60)"
    server = serve(source, until="SETUP_FAILED", environment={"COG_SETUP_TIMEOUT": "0.2"})
    assert "setup timed out after 0.2 s" in server.health()["setup"]["logs"]


def test_setup_gets_the_weights_in_the_type_it_asks_for(serve: Serve, tmp_path: Path) -> None:
    def output(
        annotation: str, shown: str, given: str | None, files: dict[str, str] | None = None
    ) -> str:
        source = "import cog" + HELLO.replace('"hello"', shown)
        source += f"    def setup(self, weights{annotation}):\n        self.weights = weights"
        environment = {"COG_WEIGHTS": given} if given else {}
        answer: str = serve(source, environment=environment, files=files).predict()["output"]
        return answer

    (tmp_path / "w").write_text("heavy")
    with serving(tmp_path) as (url, _):
        assert output("", "repr(self.weights)", None) == "None"
        assert output("", "str(self.weights)", None, {"weights": "x"}) == "weights"
        assert output(": str", "self.weights", "model/name") == "model/name"
        assert output(": str", "self.weights", f"{url}/w") == f"{url}/w"
        assert output(": cog.Path | None", "self.weights.read_text()", f"{url}/w") == "heavy"
        path = str(tmp_path / "w")
        assert output(": cog.File", "self.weights.read().decode()", path) == "heavy"


def test_weights_that_cannot_be_had_fail_the_setup(serve: Serve) -> None:
    source = HELLO + "    def setup(self, weights):\n        self.weights = weights"
    environment = {"COG_WEIGHTS": "http://127.0.0.1:1/w"}
    server = serve(source, until="SETUP_FAILED", environment=environment)
    assert "Connection refused" in server.health()["setup"]["logs"]


def test_probes_tell_the_state_by_their_status(serve: Serve) -> None:
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    server = serve(waiting + HELLO, until="STARTING")
    assert server.client.get("/livez").status_code == 200
    starting = server.client.get("/readyz")
    assert (starting.status_code, starting.text) == (503, "STARTING\n")
    server = serve(HELLO)
    ready = server.client.get("/readyz")
    assert (ready.status_code, ready.text) == (200, "READY\n")


def test_on_kubernetes_a_file_says_whether_the_model_is_ready(tmp_path: Path) -> None:
    stub = {"COG_PREDICT_TYPE_STUB": "predict.py:Predictor"}
    options = read_options([], {**stub, "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert options.care.ready_file == Path("/var/run/cog/ready")
    assert read_options([], stub).care.ready_file is None
    file = tmp_path / "run" / "ready"
    care = dataclasses.replace(options.care, ready_file=file)
    care.tell_ready(is_ready=True)
    assert file.exists()
    care.tell_ready(is_ready=False)
    care.tell_ready(is_ready=False)
    assert not file.exists()


def test_files_are_fetched_in_the_name_that_is_asked_for(serve: Serve) -> None:
    source = "import cog\ndef run(file: cog.Path) -> str: return file.read_text()"
    agent = {"COG_USER_AGENT": "my platform/1"}
    server = serve(source, reference="predict.py:run", environment=agent)
    with socket.create_server(("127.0.0.1", 0)) as site, ThreadPoolExecutor() as pool:
        url = f"http://127.0.0.1:{site.getsockname()[1]}/x"
        answer = pool.submit(server.predict, file=url)
        connection, _ = site.accept()
        with connection:
            assert b"User-Agent: my platform/1\r\n" in connection.recv(65536)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\ncontent")
        assert answer.result()["output"] == "content"


def test_the_model_sees_its_own_environment_and_nothing_of_the_server(serve: Serve) -> None:
    source = """
    import os, sys
    import sibling
    from cog import BasePredictor

    SERVER = os.environ["COGN_SERVER"].split(os.pathsep)

    class Predictor(BasePredictor):
        def predict(self) -> dict:
            return {
                "foreign": [each for each in SERVER if each in sys.path],
                "sibling": sibling.NAME,
                "arguments": sys.argv[1:],
                "pickles": Predictor.__module__,
                "stdin": sys.stdin.read(),
            }
    """
    server = serve(source, files={"sibling.py": "NAME = 'beside'", "queue.py": "1 / 0"})
    assert server.predict()["output"] == {
        "foreign": [],
        "sibling": "beside",
        "arguments": [],
        "pickles": "predict",
        "stdin": "",
    }


def test_arguments_that_make_no_sense_are_refused_and_ignored_ones_are_not(serve: Serve) -> None:
    assert serve(HELLO, "--x-mode", "predict", "--threads", "2", "-v").predict()["output"]
    for arguments, message in (
        (["--upload-url", "file:///x"], "--upload-url has to begin with http:// or https://"),
        (["--what"], "unrecognized"),
        (["--x-mode", "train"], "COG_TRAIN_TYPE_STUB is not set; the image's cog.yaml has no"),
    ):
        with pytest.raises(AssertionError, match=f"error: .*{message}"):
            serve(HELLO, *arguments)


def test_console_logs_are_lines_for_people(serve: Serve) -> None:
    log = serve(HELLO, environment={"LOG_FORMAT": "console"}).log()
    assert "INFO    cogn.worker: the model is ready\n" in log


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("PORT", "http", "error: PORT is not a port number: 'http'"),
        (
            "COGN_URL_PRIVATE",
            "maybe",
            "error: COGN_URL_PRIVATE is 'maybe'; it can be",
        ),
        ("COGN_QUEUE_SIZE", "-1", "error: COGN_QUEUE_SIZE is not a count: '-1'"),
        ("COGN_DRAIN_TIMEOUT", "soon", "error: COGN_DRAIN_TIMEOUT is not a number of seconds"),
        ("COG_LOG_LEVEL", "loud", "error: COG_LOG_LEVEL is 'loud'"),
        ("COG_PREDICT_TYPE_STUB", "", "error: COG_PREDICT_TYPE_STUB is not set"),
        ("COGN_SERVER", "/nowhere", "error: the server's site directory does not exist: /nowhere"),
    ],
)
def test_an_environment_that_makes_no_sense_is_an_error_before_anything_starts(
    serve: Serve, name: str, value: str, error: str
) -> None:
    with pytest.raises(AssertionError, match=error):
        serve(HELLO, environment={name: value})


def test_a_port_in_use_is_an_error(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match=f"error: cannot listen on 127.0.0.1 port {port}"):
            serve(HELLO, environment={"PORT": port})


def test_the_launcher_replaces_its_process_by_an_isolated_interpreter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Replaced(Exception):  # noqa: N818
        pass

    def execv(path: str, arguments: list[str]) -> None:
        raise Replaced(path, *arguments)

    monkeypatch.setattr("os.execv", execv)
    monkeypatch.setattr("sys.argv", ["http.py", "--host", "::1"])
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    monkeypatch.setenv("COGN_SERVER", str(tmp_path))
    with pytest.raises(Replaced) as replaced:
        launcher.main()
    path, program, *flags, _, site, host, address = replaced.value.args
    assert path == program == "/usr/bin/python3"
    assert flags == ["-I", "-S", "-c"]
    assert [site, host, address] == [str(tmp_path), "--host", "::1"]
