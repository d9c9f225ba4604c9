"""Image references are read as Docker reads them."""

from __future__ import annotations

import pytest

from cogn.store.errors import RegistryError
from cogn.store.registry import Reference

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "host", "repository", "version"),
    [
        ("localhost:5000/a/b:v1", "localhost:5000", "a/b", "v1"),
        ("localhost/a", "localhost", "a", "latest"),
        ("127.0.0.1:80/a", "127.0.0.1:80", "a", "latest"),
        ("[::1]:5000/a", "[::1]:5000", "a", "latest"),
        ("registry.example.com/team/model:2", "registry.example.com", "team/model", "2"),
        ("debian", "docker.io", "library/debian", "latest"),
        ("debian:trixie", "docker.io", "library/debian", "trixie"),
        ("docker.io/debian:trixie", "docker.io", "library/debian", "trixie"),
        ("team/model:2", "docker.io", "team/model", "2"),
        ("index.docker.io/team/model", "docker.io", "team/model", "latest"),
        ("registry-1.docker.io/team/model", "docker.io", "team/model", "latest"),
        (f"r8.im/team/model@{DIGEST}", "r8.im", "team/model", DIGEST),
        (f"r8.im/team/model:1@{DIGEST}", "r8.im", "team/model", DIGEST),
    ],
)
def test_a_reference_is_read_as_docker_does(
    text: str, host: str, repository: str, version: str
) -> None:
    reference = Reference.parse(text)
    assert (reference.host, reference.repository, reference.version) == (host, repository, version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "localhost:5000/",
        "localhost:5000/A B",
        "localhost:5000/a:",
        "localhost:5000/../a",
        "localhost:port/a",
        "example.com/a//b",
        "https://example.com/a",
        "user:secret@example.com/a",
        "example.com/a@sha256:12",
        "example.com/a@md5:0123",
        "example.com/" + "a" * 250,
        "example.com/a:" + "t" * 129,
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(RegistryError, match="is not an image reference"):
        Reference.parse(text)
