"""Files of outputs that are put to a URL: `--upload-url`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from runtime.conftest import Serve
from runtime.receiver import Receiver

MODEL = """
import pathlib
from collections.abc import Iterator
from cog import BaseModel, Path

class Output(BaseModel):
    text: str
    files: list[Path]

def write(name, text):
    pathlib.Path(name).write_text(text)
    return Path(name)

def one(text: str) -> Path:
    return write("out put.txt", text)

def many(text: str) -> Output:
    return Output(text=text, files=[write("a.png", text), write("b.bin", text)])

def items(text: str) -> Iterator[Path]:
    for number in range(3):
        yield write("same.txt", f"{text} {number}")

def missing(text: str) -> Path:
    return Path("nowhere")
"""


def test_a_file_is_put_to_the_url_and_its_place_is_the_output(
    serve: Serve, receiver: Receiver
) -> None:
    arguments = ("--upload-url", f"{receiver.origin}/up/")
    server = serve(MODEL, *arguments, reference="predict.py:one")
    assert server.predict(text="content")["output"] == f"{receiver.origin}/elsewhere"
    path, headers, content = receiver.put[0]
    assert (path, content) == ("/up/out%20put.txt", b"content")
    assert headers["Content-Type"] == "text/plain"
    receiver.location = None
    assert server.predict(text="again")["output"] == f"{receiver.origin}/up/out%20put.txt"


def test_files_anywhere_in_the_output_are_put(serve: Serve, receiver: Receiver) -> None:
    receiver.location = None
    up = f"{receiver.origin}/up/"
    server = serve(MODEL, "--upload-url", up, reference="predict.py:many")
    output = server.predict(text="x")["output"]
    assert output == {"text": "x", "files": [f"{up}a.png", f"{up}b.bin"]}
    types = [headers["Content-Type"] for _, headers, _ in receiver.put]
    assert types == ["image/png", "application/octet-stream"]


def test_items_are_put_as_they_are_made_though_the_model_reuses_the_file(
    serve: Serve, receiver: Receiver
) -> None:
    receiver.location = None
    up = f"{receiver.origin}/"
    server = serve(MODEL, "--upload-url", up, reference="predict.py:items")
    assert server.predict(text="x")["output"] == [f"{up}same.txt"] * 3
    assert [content for _, _, content in receiver.put] == [b"x 0", b"x 1", b"x 2"]


def test_an_upload_holds_no_slot(serve: Serve, receiver: Receiver) -> None:
    receiver.may_answer.clear()
    server = serve(MODEL, "--upload-url", f"{receiver.origin}/", reference="predict.py:one")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(server.predict, text="first")
        server.wait(lambda: len(receiver.put) == 1)
        server.wait_for("READY")
        second = pool.submit(server.predict, text="second")
        server.wait(lambda: len(receiver.put) == 2)
        assert not first.done()
        receiver.may_answer.set()
        answers = [first.result(), second.result()]
    assert [each["status"] for each in answers] == ["succeeded", "succeeded"]
    assert [content for _, _, content in receiver.put] == [b"first", b"second"]


def test_an_upload_is_tried_again_where_that_may_help(serve: Serve, receiver: Receiver) -> None:
    receiver.answers = [503, 307, 200]
    server = serve(MODEL, "--upload-url", f"{receiver.origin}/up/", reference="predict.py:one")
    assert server.predict(text="x")["output"] == f"{receiver.origin}/elsewhere"
    paths = ["/up/out%20put.txt", "/up/out%20put.txt", "/elsewhere"]
    assert [path for path, _, _ in receiver.put] == paths


def test_a_file_that_cannot_be_put_fails_the_prediction(serve: Serve, receiver: Receiver) -> None:
    arguments = ("--upload-url", f"{receiver.origin}/up/")
    server = serve(MODEL, *arguments, reference="predict.py:one")
    receiver.answers = [403]
    failed = server.predict(text="x")
    assert (failed["status"], "output" in failed) == ("failed", False)
    reason = "HTTP Error 403: Forbidden"
    assert failed["error"] == f"the output file `out put.txt` cannot be uploaded: {reason}"
    assert len(receiver.put) == 1
    server = serve(MODEL, *arguments, reference="predict.py:missing")
    assert "the output file cannot be read: [Errno 2]" in server.predict(text="x")["error"]


def test_a_prediction_is_canceled_while_its_file_is_put(serve: Serve, receiver: Receiver) -> None:
    receiver.may_answer.clear()
    server = serve(MODEL, "--upload-url", f"{receiver.origin}/", reference="predict.py:one")
    with ThreadPoolExecutor() as pool:
        body = {"input": {"text": "x"}, "id": "up"}
        answer = pool.submit(server.client.post, "/predictions", json=body)
        server.wait(lambda: len(receiver.put) == 1)
        assert server.client.post("/predictions/up/cancel").status_code == 200
        assert answer.result().json()["status"] == "canceled"
