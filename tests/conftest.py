"""Fixtures that more than one part's tests use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import running_registry

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on this machine: ``host:port``."""
    with running_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies of the small examples, by name, with locks that today's archives can answer.

    The committed locks are taken as far as the archives still have what they name.
    """
    from click.testing import CliRunner

    from cogn.cli.main import cogn

    projects = {}
    for example in (EXAMPLES / name for name in ("hello", "resize")):
        project = tmp_path_factory.mktemp("examples") / example.name
        shutil.copytree(example, project, ignore=shutil.ignore_patterns(".cogn"))
        result = CliRunner().invoke(cogn, ["lock", str(project)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        projects[example.name] = project
    return projects


PROGRAMS = {
    "podman": ("podman", "runc", "skopeo", "umoci"),
    "registry": ("docker-registry", "openssl"),
    "faketime": ("faketime",),
    "zstd": ("zstd",),
    "mmdebstrap": ("mmdebstrap",),
    "glib": ("glib-compile-schemas", "gsettings"),
}
"""The programs that tests with a marker start."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of whole images, the longest, so that two processes end together."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose programs this machine lacks; on CI, which installs them, they fail."""
    for marker, programs in PROGRAMS.items():
        missing = [name for name in programs if shutil.which(name) is None]
        if item.get_closest_marker(marker) and missing and "CI" not in os.environ:
            pytest.skip(f"needs {', '.join(missing)}")
