"""What clients get from POST /predictions, through a real server."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runtime.conftest import Serve, Server

HELLO = """
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self):
        self.greeting = "hello "

    def predict(self, text: str) -> str:
        return self.greeting + text
"""


def test_a_prediction_is_answered_as_cog_does(serve: Serve) -> None:
    response = serve(HELLO).post(text="world")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    prediction = response.json()
    assert list(prediction) == ["id", "logs", "metrics", "output", "status"]
    assert prediction["id"].startswith("pred_")
    assert prediction["output"] == "hello world"
    assert prediction["status"] == "succeeded"
    assert prediction["logs"] == ""
    assert 0 < prediction["metrics"]["predict_time"] < 5
    assert b": " not in response.content


def test_an_id_in_the_request_is_kept(serve: Serve) -> None:
    body = {"input": {"text": ""}, "id": "mine", "created_at": "ignored"}
    assert serve(HELLO).client.post("/predictions", json=body).json()["id"] == "mine"


def test_a_class_with_run_a_bare_class_and_a_function_are_models_too(serve: Serve) -> None:
    source = """
    from cog import BaseRunner, Input

    class Runner(BaseRunner):
        def run(self, n: int = Input(ge=0)) -> int:
            return n + 1

        def predict(self, n: int) -> int:
            raise AssertionError("run wins")

    class Bare:
        def predict(self, n: int) -> int:
            return n + 2

    def function(n: int) -> int:
        return n + 3
    """
    for name, expected in (("Runner", 1), ("Bare", 2), ("function", 3)):
        server = serve(source, reference=f"predict.py:{name}")
        assert server.predict(n=0)["output"] == expected


def test_inputs_arrive_as_the_types_they_are_annotated_with(serve: Serve) -> None:
    source = """
    from __future__ import annotations
    from typing import Any, List, Literal, Optional, TypedDict, Union
    from cog import BasePredictor, Input, Secret

    class Meta(TypedDict):
        author: str

    class Predictor(BasePredictor):
        def predict(
            self,
            whole: int,
            real: float,
            flag: bool,
            token: Secret,
            tags: List[str],
            meta: Meta,
            anything: dict,
            either: Union[int, str],
            size: Literal["s", "m"] = "m",
            maybe: Optional[int] = None,
            absent: str | None = Input(description="no default"),
        ) -> str:
            token = token.get_secret_value()
            first = whole, real, flag, token, tags, meta
            return repr((*first, anything, either, size, maybe, absent))
    """
    output = serve(source).predict(
        whole=3.0, real=2, flag=True, token="t", tags=["a"], meta={"author": "x"}, anything={},
        either="1",
    )["output"]  # fmt: skip
    assert output == repr((3, 2.0, True, "t", ["a"], {"author": "x"}, {}, "1", "m", None, None))


def test_every_prediction_gets_its_own_copy_of_a_default(serve: Serve) -> None:
    source = """
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def predict(self, tags: list[str] = ["a"]) -> list[str]:
            tags.append("b")
            return tags
    """
    server = serve(source)
    assert [server.predict()["output"] for _ in range(2)] == [["a", "b"], ["a", "b"]]


OUTPUTS = """
import dataclasses, datetime, enum
from collections.abc import Iterator
from typing import Any
from cog import BaseModel, BasePredictor, Secret

class Colour(enum.Enum):
    RED = "red"

class Inner(BaseModel):
    n: int
    colour: Colour

class Dumped:
    def model_dump(self):
        return {"dumped": {1, }}

class Array:
    def tolist(self):
        return [[1.5, 2.5]]

def generated():
    yield 1
    yield Inner(n=2, colour=Colour.RED)

class Predictor(BasePredictor):
    def predict(self, expression: str) -> Any:
        return eval(expression)
"""


@pytest.fixture(scope="module")
def evaluating(serve_module: Serve) -> Server:
    return serve_module(OUTPUTS)


def test_outputs_are_turned_into_json(evaluating: Server) -> None:
    expected = {
        "None": None,
        "'é\\n'": "é\n",
        "10**30": 10**30,
        "(1, {2}, frozenset())": [1, [2], []],
        "{'b': 1, 'a': Colour.RED, 3: True}": {"a": "red", "b": 1, "3": True},
        "Inner(n=1, colour=Colour.RED)": {"n": 1, "colour": "red"},
        "Dumped()": {"dumped": [1]},
        "Array()": [[1.5, 2.5]],
        "generated()": [1, {"n": 2, "colour": "red"}],
        "datetime.date(2020, 1, 2)": "2020-01-02",
        "Secret('hidden')": "**********",
    }
    got = {each: evaluating.predict(expression=each)["output"] for each in expected}
    assert got == expected


def test_an_output_that_json_cannot_express_fails_the_prediction(evaluating: Server) -> None:
    errors = {
        each: evaluating.predict(expression=each)["error"]
        for each in ("object()", "b'raw'", "[float('nan')]", "'\\ud800'", "{(1, 2): 3}")
    }
    assert errors["object()"] == "TypeError: Object of type object is not JSON serializable"
    assert errors["b'raw'"] == "TypeError: Object of type bytes is not JSON serializable"
    assert errors["[float('nan')]"].startswith("cannot send the output: Out of range float")
    assert errors["'\\ud800'"].startswith("cannot send the output: 'utf-8' codec can't encode")
    assert errors["{(1, 2): 3}"] == "TypeError: keys must be text or numbers, not tuple"
    assert evaluating.predict(expression="1")["output"] == 1


def test_iterators_are_collected_into_a_list(serve: Serve) -> None:
    source = """
    from cog import BasePredictor, ConcatenateIterator

    class Predictor(BasePredictor):
        def predict(self, n: int) -> ConcatenateIterator[str]:
            for i in range(n):
                print(i)
                yield str(i)
    """
    prediction = serve(source).predict(n=3)
    assert prediction["output"] == ["0", "1", "2"]
    assert prediction["logs"] == "0\n1\n2\n"


FAILING = """
import sys
from cog import BasePredictor

class Odd(Exception):
    def __str__(self):
        raise RuntimeError

class Predictor(BasePredictor):
    def predict(self, how: str) -> str:
        print("about to fail")
        match how:
            case "raise":
                raise ValueError("boom")
            case "exit":
                sys.exit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case "odd":
                raise Odd
            case "surrogate":
                raise ValueError("\\ud800")
            case "closed":
                sys.stdout.close()
                sys.stderr = None
                raise ValueError("no streams")
        return "fine"
"""


def test_an_exception_fails_the_prediction_and_its_traceback_is_in_the_logs(serve: Serve) -> None:
    prediction = serve(FAILING).predict(how="raise")
    assert list(prediction) == ["error", "id", "logs", "metrics", "status"]
    assert prediction["status"] == "failed"
    assert prediction["error"] == "ValueError: boom"
    first, second, *_, last = prediction["logs"].splitlines()
    assert (first, second, last) == (
        "about to fail",
        "Traceback (most recent call last):",
        "ValueError: boom",
    )
    assert "cogn_runtime" not in prediction["logs"]


def test_nothing_the_model_raises_ends_the_worker(serve: Serve) -> None:
    server = serve(FAILING)
    for how, error in (
        ("exit", "SystemExit: 3"),
        ("interrupt", "KeyboardInterrupt"),
        ("odd", "Odd"),
        ("surrogate", "ValueError: \\ud800"),
        ("closed", "ValueError: no streams"),
    ):
        assert server.predict(how=how)["error"] == error
    assert server.predict(how="any")["error"] == "ValueError: I/O operation on closed file."
    assert "died" not in server.log()


def test_logs_hold_what_was_printed_in_any_way_in_its_order(serve: Serve) -> None:
    source = """
    import os, subprocess, sys
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def setup(self):
            print("from setup")

        def predict(self, name: str) -> str:
            print("print", name)
            print("stderr", file=sys.stderr)
            os.write(1, b"descriptor\\n")
            subprocess.run(["echo", "subprocess"], check=True)
            print("no newline", end="")
            return name
    """
    server = serve(source)
    for name in ("one", "two"):
        logs = server.predict(name=name)["logs"]
        assert logs == f"print {name}\nstderr\ndescriptor\nsubprocess\nno newline"
    assert server.health()["setup"]["logs"] == "from setup\n"
    assert '"logger":"cogn.model","message":"descriptor"' in server.log()


def test_very_long_logs_are_kept_from_the_end(serve: Serve) -> None:
    source = """
    from cog import BasePredictor

    class Predictor(BasePredictor):
        def predict(self, lines: int) -> int:
            for number in range(lines):
                print("x" * 1000, number)
            return lines
    """
    server = serve(source)
    logs = server.predict(lines=20_000)["logs"]
    assert logs.startswith("[earlier output is left out]\n")
    assert logs.endswith("x 19999\n")
    assert 4_000_000 < len(logs) < 5_000_000


def test_a_large_input_and_a_large_output_pass(serve: Serve) -> None:
    text = "ä" * 3_000_000
    assert serve(HELLO).predict(text=text)["output"] == f"hello {text}"


FILES = """
from pathlib import Path as LocalPath
from typing import Optional
from cog import BaseModel, BasePredictor, File, Path

class Output(BaseModel):
    kinds: list[str]
    images: list[Path]
    named: dict[str, Path]
    seen: list[str]

class Predictor(BasePredictor):
    def predict(
        self, one: Path, more: list[Path] = [], file: Optional[File] = None
    ) -> Output:
        for number, path in enumerate([one, *more]):
            LocalPath(f"{number}.png").write_bytes(path.read_bytes())
        count = 1 + len(more)
        return Output(
            kinds=[type(one).__name__, one.suffix],
            images=[Path(f"{n}.png") for n in range(count)],
            named={"same": Path("0.png")},
            seen=[str(one), *map(str, more)] + ([file.read().decode()] if file else []),
        )

def identity(image: Path) -> Path:
    return image
"""


def data_url(content: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def test_data_urls_come_in_as_files_and_files_go_out_as_data_urls(
    serve: Serve, tmp_path: Path
) -> None:
    output = serve(FILES).predict(
        one=data_url(b"one"), more=[data_url(b"two"), "data:text/plain,t%20t"],
        file=data_url(b"content"),
    )["output"]  # fmt: skip
    assert output["kinds"] == ["Path", ".png"]
    assert output["images"] == [data_url(b"one"), data_url(b"two"), data_url(b"t t")]
    assert output["named"] == {"same": data_url(b"one")}
    *copies, content = output["seen"]
    assert [Path(each).suffix for each in copies] == [".png", ".png", ".txt"]
    assert content == "content"
    assert not any(Path(each).exists() for each in copies)
    assert list(tmp_path.glob("cogn-input-*")) == []


@pytest.fixture(scope="module")
def identity(serve_module: Serve) -> Server:
    return serve_module(FILES, reference="predict.py:identity")


def test_an_output_that_is_a_file_is_one_data_url(identity: Server) -> None:
    assert identity.predict(image=data_url(b"x", "image/webp"))["output"] == data_url(
        b"x", "image/webp"
    )


def test_a_local_path_is_passed_as_it_is(identity: Server, tmp_path: Path) -> None:
    local = tmp_path / "here.bin"
    local.write_bytes(b"local")
    assert identity.predict(image=str(local))["output"] == data_url(
        b"local", "application/octet-stream"
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("data:image/png", "input `image`: the data URL has no comma"),
        ("data:image/png;base64,ab$d", "input `image`: the data URL is not base64: "),
        ("http://127.0.0.1:1/x.png", "input `image`: <urlopen error "),
        ("http://[", "input `image`: "),
        ("/nowhere/x.png", "the output file cannot be read: [Errno 2] "),
    ],
)
def test_a_file_that_cannot_be_had_fails_the_prediction(
    identity: Server, value: str, error: str
) -> None:
    prediction = identity.predict(image=value)
    assert prediction["status"] == "failed"
    assert prediction["error"].startswith(error)
    assert identity.health()["status"] == "READY"


class _Images(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("content-type", "image/jpeg")
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def images() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Images) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_urls_are_fetched_and_their_copies_named_after_them(serve: Serve, images: str) -> None:
    server = serve(FILES)
    output = server.predict(one=f"{images}/a%20cat.png?size=1", more=[f"{images}/%2e%2e%2fphoto"])
    *_, one, other = output["output"]["seen"]
    assert Path(one).name == "a_cat.png"
    assert Path(other).name == "photo.jpg"
    assert output["output"]["images"][0] == data_url(b"/a%20cat.png?size=1")
    failed = server.predict(one=f"{images}/missing")
    assert failed["error"] == "input `one`: HTTP Error 404: Not Found"


WAITING = """
import pathlib, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, until: str) -> str:
        pathlib.Path(until + ".running").touch()
        while not pathlib.Path(until).exists():
            time.sleep(0.01)
        return "done"
"""


def test_a_second_prediction_is_refused_while_one_runs(serve: Serve, tmp_path: Path) -> None:
    server = serve(WAITING)
    go = tmp_path / "go"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(server.predict, until=str(go))
        server.wait_for("BUSY")
        refused = server.post(until=str(go))
        assert refused.status_code == 409
        assert refused.json() == {
            "error": "At capacity - all prediction slots busy",
            "status": "failed",
        }
        assert server.client.post("/predictions", json={"input": {}}).status_code == 422
        go.touch()
        assert first.result()["output"] == "done"
    assert server.health()["status"] == "READY"


def test_a_client_that_has_its_answer_finds_the_slot_free(serve: Serve) -> None:
    server = serve(HELLO)
    assert {server.post(text="x").status_code for _ in range(200)} == {200}
