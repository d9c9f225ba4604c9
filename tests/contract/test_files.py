"""Files: how they come in and go out."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import Server
from support.receivers import Receiver
from support.serving import Serve

MODEL = """
import pathlib
from typing import Any, List, Optional
from cog import BaseModel, BasePredictor, File, Path

class Output(BaseModel):
    path: str
    text: str

class Predictor(BasePredictor):
    def predict(self, file: Path) -> Output:
        return Output(path=str(file), text=pathlib.Path(file).read_text())

def many(files: List[Path] = [], maybe: Optional[Path] = None) -> List[str]:
    return [each.read_text() for each in files] + ([maybe.read_text()] if maybe else [])

def opened(file: File) -> str:
    return file.read().decode()

def plain(text: str) -> str:
    return text

def written(name: str, content: str = "content") -> Path:
    path = Path(name)
    path.write_text(content)
    return path

def listed() -> List[Path]:
    return [written("a.txt", "a"), written("b.png", "b")]

class Nested(BaseModel):
    one: Path
    more: List[Path]

def nested() -> Nested:
    return Nested(one=written("a.txt", "a"), more=listed())
"""


def data_url(text: str, mime_type: str = "text/plain") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(text.encode()).decode()}"


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Server:
    return serve_module(MODEL)


def output(serve: Serve, function: str, *arguments: str, **input_: Any) -> Any:
    return serve(MODEL, *arguments, reference=f"predict.py:{function}").predict(**input_)["output"]


def test_a_data_url_comes_in_as_a_file_with_a_fitting_name(server: Server) -> None:
    read = server.predict(file=data_url("content"))["output"]
    assert read["text"] == "content"
    assert Path(read["path"]).suffix == ".txt"


def test_a_url_comes_in_as_a_file_named_after_it(server: Server, receiver: Receiver) -> None:
    receiver.content = b"fetched"
    read = server.predict(file=f"{receiver.url}/directory/photo.jpg?size=1")["output"]
    assert read["text"] == "fetched"
    assert Path(read["path"]).name.endswith("photo.jpg")
    assert [each.path for each in receiver.requests] == ["/directory/photo.jpg?size=1"]


def test_files_are_fetched_in_the_name_that_the_environment_gives(
    serve: Serve, receiver: Receiver
) -> None:
    server = serve(MODEL, environment={"COG_USER_AGENT": "somebody/1"})
    assert server.predict(file=f"{receiver.url}/file.txt")["status"] == "succeeded"
    assert receiver.requests[0].headers["user-agent"] == "somebody/1"


def test_a_file_that_came_in_is_gone_afterwards(server: Server, receiver: Receiver) -> None:
    for url in (data_url("content"), f"{receiver.url}/file.txt"):
        assert not Path(server.predict(file=url)["output"]["path"]).exists()


def test_other_text_is_a_local_path(server: Server, tmp_path: Path) -> None:
    (tmp_path / "local.txt").write_text("local")
    read = server.predict(file=str(tmp_path / "local.txt"))["output"]
    assert read == {"path": str(tmp_path / "local.txt"), "text": "local"}
    assert (tmp_path / "local.txt").exists()


def test_a_file_that_cannot_be_had_fails_the_prediction(server: Server, receiver: Receiver) -> None:
    receiver.statuses.append(404)
    for url in (f"{receiver.url}/missing.txt", "http://127.0.0.1:1/x", "data:nonsense"):
        failed = server.predict(file=url)
        assert failed["status"] == "failed"
        assert failed["error"]


def test_files_may_be_in_lists_and_may_be_left_out(serve: Serve) -> None:
    server = serve(MODEL, reference="predict.py:many")
    assert server.predict()["output"] == []
    given = {"files": [data_url("a"), data_url("b")], "maybe": data_url("c")}
    assert server.predict(**given)["output"] == ["a", "b", "c"]


def test_a_parameter_of_type_file_is_open(serve: Serve) -> None:
    assert output(serve, "opened", file=data_url("content")) == "content"


def test_text_that_looks_like_a_url_stays_text(serve: Serve) -> None:
    assert output(serve, "plain", text=data_url("content")) == data_url("content")


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("a.txt", "text/plain"), ("a.png", "image/png"), ("a", "application/octet-stream")],
)
def test_a_file_goes_out_as_a_data_url_of_the_type_of_its_name(
    serve: Serve, name: str, mime_type: str
) -> None:
    assert output(serve, "written", name=name) == data_url("content", mime_type)


def test_files_in_lists_go_out_as_data_urls(serve: Serve) -> None:
    assert output(serve, "listed") == [data_url("a"), data_url("b", "image/png")]


def test_files_inside_of_objects_go_out_as_data_urls(serve: Serve) -> None:
    urls = [data_url("a"), data_url("b", "image/png")]
    assert output(serve, "nested") == {"one": urls[0], "more": urls}


def uploaded(serve: Serve, receiver: Receiver, function: str, **input_: Any) -> Any:
    return output(serve, function, "--upload-url", f"{receiver.url}/bucket/", **input_)


def test_with_a_place_for_uploads_a_file_is_put_there(serve: Serve, receiver: Receiver) -> None:
    url = uploaded(serve, receiver, "written", name="a.png")
    assert url == f"{receiver.url}/bucket/a.png"
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("PUT", "/bucket/a.png", b"content")
    assert request.headers["content-type"] == "image/png"


def test_an_upload_is_where_its_place_says_it_is(serve: Serve, receiver: Receiver) -> None:
    receiver.headers["location"] = "https://cdn.example.com/a.txt"
    assert uploaded(serve, receiver, "written", name="a.txt") == receiver.headers["location"]


def test_every_file_of_a_list_is_uploaded(serve: Serve, receiver: Receiver) -> None:
    urls = uploaded(serve, receiver, "listed")
    assert sorted(urls) == [f"{receiver.url}/bucket/{name}" for name in ("a.txt", "b.png")]


def test_an_upload_that_is_refused_fails_the_prediction(serve: Serve, receiver: Receiver) -> None:
    receiver.statuses += [403] * 20
    arguments = "--upload-url", f"{receiver.url}/bucket/"
    server = serve(MODEL, *arguments, reference="predict.py:written")
    assert server.predict(name="a.txt")["status"] == "failed"
