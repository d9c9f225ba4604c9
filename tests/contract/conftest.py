"""Each test of the contract is run against our server and against Cog's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.differences import DIFFERENCES
from runtime.conftest import Server
from support.receivers import Receiver
from support.serving import COG, Serve, install, serving

_HERE = Path(__file__).parent
_ORACLE = pytest.param("coglet", marks=[pytest.mark.coglet, pytest.mark.network])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect what is listed to differ on Cog's server; what no longer does fails."""
    for item in items:
        if not isinstance(item, pytest.Function) or item.path.parent != _HERE:
            continue
        if item.get_closest_marker("coglet") and (reason := DIFFERENCES.get(_name_of(item))):
            item.add_marker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))


def _name_of(item: pytest.Function) -> str:
    """Return the name in the table: the module's, the test's, and what else it is run with."""
    cases = [part for part in item.callspec.id.split("-") if part != "coglet"]
    name = f"{item.path.stem.removeprefix('test_')}: {item.originalname.removeprefix('test_')}"
    return f"{name}[{'-'.join(cases)}]" if cases else name


@pytest.fixture(scope="session", params=["cogn", _ORACLE])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The interpreter that has Cog's server; none for ours."""
    if request.param == "cogn":
        return None
    try:
        return install(tmp_path_factory.mktemp("cog") / "environment", COG)
    except subprocess.CalledProcessError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"Cog's server cannot be installed: {error.stderr}")


@pytest.fixture
def serve(python: Path | None, tmp_path: Path) -> Iterator[Serve]:
    """Start the server for a model given as source; it is ready unless told otherwise."""
    yield from serving(tmp_path / "servers", python)


@pytest.fixture(scope="module")
def serve_module(python: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start servers that the tests of a module share."""
    yield from serving(tmp_path_factory.mktemp("shared") / "servers", python)


@pytest.fixture(autouse=True)
def settled(request: pytest.FixtureRequest) -> None:
    """The server that a module's tests share has nothing to do when one of them begins."""
    if "server" in request.fixturenames:
        server: Server = request.getfixturevalue("server")
        server.wait_for("READY")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that notes what is sent to it."""
    with Receiver() as running:
        yield running
