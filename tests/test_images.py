"""The promise as a whole: lock, assemble, push; another program pulls, runs and asks."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from openapi_spec_validator import validate

from cogn.cli.main import cogn
from support.containers import podman, run_in, running_container
from support.servers import free_port, wait_until

pytestmark = [pytest.mark.network, pytest.mark.podman, pytest.mark.registry]


def assemble(*arguments: str | Path) -> str:
    """Run ``cogn assemble``; return the digest it prints."""
    result = CliRunner().invoke(cogn, ["assemble", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    digest, end = result.stdout.split("\n")
    assert (digest[:7], len(digest), end) == ("sha256:", 71, "")
    return digest


@pytest.fixture(scope="module")
def images(locked: dict[str, Path], registry: str) -> Iterator[dict[str, str]]:
    """The examples' images, assembled, pushed and pulled by podman: references with digests."""
    references = {}
    for name, project in locked.items():
        digest = assemble(project, "--push", f"{registry}/{name}:1")
        reference = f"{registry}/{name}@{digest}"
        podman("pull", "--quiet", "--tls-verify=false", f"docker://{reference}")
        references[name] = reference
    yield references
    podman("rmi", "--force", *references.values())


@contextmanager
def serving(image: str, *options: str) -> Iterator[tuple[httpx.Client, str]]:
    """Run an image until it is ready; give a client for it and the container's name."""
    port = free_port()
    with (
        running_container(image, "--env", f"PORT={port}", *options) as container,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):

        def ready() -> bool:
            try:
                status = client.get("/health-check").json()["status"]
            except httpx.HTTPError:
                return False
            assert status in {"STARTING", "READY"}
            return bool(status == "READY")

        wait_until(ready, "the model's setup")
        yield client, container


def predict(client: httpx.Client, **inputs: Any) -> dict[str, Any]:
    answer = client.post("/predictions", json={"input": inputs})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_hello_answers_and_describes_itself(images: dict[str, str]) -> None:
    with serving(images["hello"]) as (client, _):
        answer = predict(client, name="Ada")
        assert (answer["status"], answer["output"]) == ("succeeded", "hello Ada")
        refused = client.post("/predictions", json={"input": {}})
        assert (refused.status_code, refused.json()["detail"][0]["msg"]) == (422, "Field required")
        schema = client.get("/openapi.json").json()
        validate(schema)
        assert schema["openapi"] == "3.0.2"
        assert "hello" not in json.dumps(schema["components"]["schemas"]["Output"])


def test_resize_takes_and_gives_an_image(images: dict[str, str]) -> None:
    from PIL import Image

    picture = Image.new("RGB", (4, 2), "red")
    picture.putpixel((3, 1), (0, 0, 255))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    with serving(images["resize"]) as (client, _):
        answer = predict(client, image=url, scale=3)
        kind, _, data = answer["output"].partition(",")
        assert (answer["status"], kind) == ("succeeded", "data:image/png;base64")
        resized = Image.open(io.BytesIO(base64.b64decode(data)))
        assert resized.size == (12, 6)
        assert resized.getpixel((0, 0)) == (255, 0, 0)
        assert resized.getpixel((11, 5)) == (0, 0, 255)
        served = client.get("/openapi.json").json()
        validate(served)
    (inspected,) = json.loads(podman("image", "inspect", images["resize"]))
    assert json.loads(inspected["Config"]["Labels"]["run.cog.openapi_schema"]) == served


def test_a_stopped_container_ends_at_once_and_well(images: dict[str, str]) -> None:
    with serving(images["hello"]) as (_, container):
        begin = time.monotonic()
        podman("stop", "--time", "20", container)
        assert time.monotonic() - begin < 10


def test_the_first_process_reaps_orphans(images: dict[str, str]) -> None:
    with serving(images["hello"]) as (client, container):
        orphan = "import os; os.fork() or os.fork() or os._exit(0)"
        podman("exec", container, "python", "-c", orphan)
        states = (
            "import glob;print([open(s).read().split()[2] for s in glob.glob('/proc/[0-9]*/stat')])"
        )
        assert "'Z'" not in podman("exec", container, "python", "-c", states)
        assert predict(client, name="you")["output"] == "hello you"


def test_the_model_sees_its_own_packages_and_cog_alone(images: dict[str, str]) -> None:
    code = (
        "import importlib.util as u;"
        "print([n for n in ('cog','numpy','PIL','uvicorn','msgspec','anyio','cogn_runtime')"
        " if u.find_spec(n)])"
    )
    assert run_in(images["resize"], "python", "-c", code) == "['cog', 'numpy', 'PIL']\n"


def test_imports_compile_nothing_and_take_bytecode_whatever_the_source_says(
    images: dict[str, str],
) -> None:
    code = """
import pathlib, subprocess, sys
def run(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
said = run('-v', '-c', 'import asyncio, cog, numpy, PIL.Image').stderr.splitlines()
taken = [line for line in said if 'code object from' in line]
print(len(taken) > 100, [line for line in taken if '.pyc' not in line])
pathlib.Path('/opt/cogn/site/PIL/_version.py').write_text('__version__ = "edited"')
print('edited' in run('-c', 'from PIL._version import __version__; print(__version__)').stdout)
"""
    assert run_in(images["resize"], "python", "-c", code) == "True []\nFalse\n"


def test_the_system_in_the_image_is_a_working_one(images: dict[str, str]) -> None:
    checks = (
        "import ssl, sqlite3, ctypes, bz2, lzma, zoneinfo, pwd, socket, subprocess, os;"
        "assert ssl.create_default_context().cert_store_stats()['x509_ca'] > 100;"
        "assert pwd.getpwuid(0).pw_name == 'root';"
        "zoneinfo.ZoneInfo('Europe/Berlin');"
        "assert socket.getaddrinfo('localhost', 80);"
        "assert oct(os.stat('/tmp').st_mode) == '0o41777';"
        "print(subprocess.check_output(['sh', '-c', 'cat /etc/os-release'], text=True))"
    )
    assert "VERSION_CODENAME=trixie" in run_in(images["hello"], "python", "-c", checks)


def test_skopeo_inspects_and_copies_and_umoci_unpacks(
    locked: dict[str, Path], tmp_path: Path
) -> None:
    layout = tmp_path / "image"
    digest = assemble(locked["hello"], "-o", f"oci:{layout}:v1")
    inspected = json.loads(run("skopeo", "inspect", f"oci:{layout}:v1"))
    assert (inspected["Digest"], inspected["Os"]) == (digest, "linux")
    assert inspected["Labels"]["run.cog.has_init"] == "true"
    run("skopeo", "copy", f"oci:{layout}:v1", f"dir:{tmp_path / 'copy'}")
    run("umoci", "unpack", "--image", f"{layout}:v1", str(tmp_path / "bundle"))
    rootfs = tmp_path / "bundle" / "rootfs"
    assert (rootfs / "src" / "predict.py").read_bytes() == (
        locked["hello"] / "predict.py"
    ).read_bytes()
    assert (rootfs / "lib").is_symlink()


def test_an_archive_holds_the_same_image_as_a_layout(
    locked: dict[str, Path], tmp_path: Path
) -> None:
    archive = tmp_path / "hello.tar"
    digest = assemble(locked["hello"], "-o", f"oci-archive:{archive}")
    assert digest == assemble(locked["hello"], "-o", f"oci:{tmp_path / 'image'}")
    inspected = json.loads(run("skopeo", "inspect", f"oci-archive:{archive}"))
    assert inspected["Digest"] == digest
    assert "Loaded image" in podman("load", "--input", str(archive))
    assert podman("rmi", "localhost/hello:latest")


def test_pushing_again_sends_nothing_but_the_manifest(
    locked: dict[str, Path], images: dict[str, str], registry: str
) -> None:
    result = CliRunner().invoke(
        cogn, ["assemble", str(locked["resize"]), "--push", f"{registry}/resize:again"]
    )
    assert result.exit_code == 0
    assert images["resize"].endswith(result.stdout.strip())
    assert "Pushing" not in result.stderr
    assert "Building" not in result.stderr.replace("Building source", "")


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
