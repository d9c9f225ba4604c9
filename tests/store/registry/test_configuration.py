"""Where registries answer, by the files of podman and by cogn.toml."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cogn.store.errors import RegistryConfigurationError, RegistryError
from cogn.store.registry import RegistryConfiguration, configuration
from support.registry import Endpoint as Asked
from support.registry import FakeRegistry

CONF = """\
[[registry]]
prefix = "r.invalid"
location = "{host}"
insecure = true

[[registry]]
prefix = "r.invalid/team"
location = "{host}/second/"
insecure = true
[[registry.mirror]]
location = "{host}/first"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "{host}"
insecure = true
pull-from-mirror = "tag-only"

[[registry]]
prefix = "*.r.invalid"
location = "{host}/wild"
insecure = true

[[registry]]
prefix = "x.r.invalid/exact"
location = "{host}/exact"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "{host}/mirror"
insecure = true
"""
DIGEST = f"sha256:{0:064}"
CASES = [
    ("r.invalid", "model", False, ["model"]),
    ("r.invalid", "teams/model", False, ["teams/model"]),
    ("r.invalid", "team/model", False, ["model", "second/model"]),
    ("r.invalid", "team/model", True, ["first/model", "second/model"]),
    ("x.r.invalid", "model", False, ["wild/model"]),
    ("y.x.r.invalid", "a/model", False, ["wild/a/model"]),
    ("x.r.invalid", "exact/model", False, ["exact/model"]),
    ("x.r.invalid", "exact/model", True, ["mirror/model", "exact/model"]),
]


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of /etc."""
    monkeypatch.setattr(configuration, "_SYSTEM", tmp_path / "etc")
    return tmp_path / "etc"


def load(home: Path, extra: dict[str, dict[str, object]] | None = None) -> RegistryConfiguration:
    return RegistryConfiguration.load(extra, {"HOME": str(home)})


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def hosts(conf: RegistryConfiguration, host: str, *, for_pull: bool = True) -> list[str]:
    endpoints = conf.endpoints(host, "team/model", for_pull=for_pull, by_digest=False)
    return [f"{each.netloc}/{each.repository}" for each in endpoints]


@pytest.mark.parametrize(("host", "repository", "by_digest", "expected"), CASES)
def test_pulls_go_to_mirrors_and_locations(
    host: str, repository: str, by_digest: bool, expected: list[str], tmp_path: Path
) -> None:
    write(tmp_path / ".config/containers/registries.conf", CONF.format(host="localhost:5000"))
    found = load(tmp_path).endpoints(host, repository, for_pull=True, by_digest=by_digest)
    assert [each.repository for each in found] == expected
    assert {(each.netloc, each.insecure) for each in found} == {("localhost:5000", True)}


@pytest.mark.podman
@pytest.mark.parametrize(("host", "repository", "by_digest", "expected"), CASES)
def test_pulls_of_skopeo_go_to_the_same(
    host: str, repository: str, by_digest: bool, expected: list[str], tmp_path: Path
) -> None:
    with FakeRegistry() as registry:
        conf = write(tmp_path / "registries.conf", CONF.format(host=registry.host))
        version = f"@{DIGEST}" if by_digest else ":1"
        image = f"docker://{host}/{repository}{version}"
        command = ["skopeo", "--registries-conf", str(conf), "inspect", "--raw", image]
        subprocess.run(command, check=False, capture_output=True)
        asked = [each for each in registry.requests if each.endpoint == Asked.MANIFEST_GET]
    assert [each.path.split("/manifests/")[0].removeprefix("/v2/") for each in asked] == expected


def test_a_push_goes_to_the_registry_that_was_named(tmp_path: Path) -> None:
    write(tmp_path / ".config/containers/registries.conf", CONF.format(host="localhost:5000"))
    (endpoint,) = load(tmp_path).endpoints("r.invalid", "team/x", for_pull=False, by_digest=False)
    assert (endpoint.host, endpoint.repository, endpoint.insecure) == ("r.invalid", "team/x", True)


def test_without_files_a_registry_answers_at_its_name(tmp_path: Path) -> None:
    conf = load(tmp_path)
    assert hosts(conf, "r.example:5000") == ["r.example:5000/team/model"]
    assert hosts(conf, "docker.io") == ["registry-1.docker.io/team/model"]
    (root,) = conf.endpoints("docker.io", "", for_pull=False, by_digest=False)
    assert (root.host, root.repository, root.may_be_plain) == ("docker.io", "", False)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.1.2.3", True),
        ("[::1]:5000", True),
        ("[::1", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
    ],
)
def test_this_machine_may_speak_plain_http(host: str, is_loopback: bool, tmp_path: Path) -> None:
    (endpoint,) = load(tmp_path).endpoints(host, "x", for_pull=False, by_digest=False)
    assert endpoint.is_loopback == endpoint.may_be_plain == is_loopback
    assert not endpoint.insecure


def test_files_are_read_in_the_order_of_podman(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mirrored(*names: str) -> str:
        table = '[[registry]]\nlocation = "{0}.example"\n[[registry.mirror]]\nlocation = "{1}"\n'
        return "".join(table.format(*name.split("=")) for name in names)

    user = tmp_path / ".config/containers"
    write(system / "containers/registries.conf", mirrored("a=etc", "b=etc", "c=etc", "d=etc"))
    write(system / "containers/registries.conf.d/1.conf", mirrored("b=etc1", "c=etc1", "d=etc1"))
    write(system / "containers/registries.conf.d/2.conf", mirrored("c=etc2", "d=etc2"))
    write(system / "containers/registries.conf.d/3.toml", "not read")
    write(user / "registries.conf.d/1.conf", mirrored("d=user1"))

    def first(conf: RegistryConfiguration) -> list[str]:
        return [hosts(conf, f"{name}.example")[0].split("/")[0] for name in "abcd"]

    assert first(load(tmp_path)) == ["etc", "etc1", "etc2", "user1"]
    extra: dict[str, dict[str, object]] = {"b.example": {"mirrors": ["toml"]}}
    assert first(load(tmp_path, extra)) == ["etc", "toml", "etc2", "user1"]
    explicit = write(tmp_path / "explicit.conf", mirrored("a=explicit"))
    environ = {"HOME": str(tmp_path), "CONTAINERS_REGISTRIES_CONF": str(explicit)}
    assert first(RegistryConfiguration.load(None, environ)) == ["explicit", "etc1", "etc2", "user1"]
    write(user / "registries.conf", mirrored("a=user"))
    assert first(load(tmp_path)) == ["user", "b.example", "c.example", "user1"]


def test_a_project_says_where_its_registries_are(tmp_path: Path) -> None:
    conf = load(
        tmp_path,
        {
            "r.example/team": {"location": "other.example", "mirrors": ["m.example/r"]},
            "m.example": {"insecure": True},
        },
    )
    mirror, location = conf.endpoints("r.example", "team/x", for_pull=True, by_digest=False)
    assert (mirror.host, mirror.repository, mirror.may_be_plain) == ("m.example", "r/x", True)
    assert (location.host, location.repository, location.insecure) == ("other.example", "x", False)


def test_certificates_are_found_beside_podmans_and_dockers(system: Path, tmp_path: Path) -> None:
    docker = system / "docker/certs.d/localhost:5000"
    ca = write(docker / "ca.crt")
    pair = write(docker / "client.cert"), write(docker / "client.key")
    user = tmp_path / ".config/containers/certs.d/docker.io"
    own = write(user / "own.crt")
    write(system / "containers/certs.d/docker.io/ca.crt")
    conf = load(tmp_path)
    (endpoint,) = conf.endpoints("localhost:5000", "x", for_pull=True, by_digest=False)
    assert endpoint.certificates.authorities == (ca,)
    assert endpoint.certificates.clients == (pair,)
    assert not endpoint.may_be_plain
    (hub,) = conf.endpoints("docker.io", "x", for_pull=True, by_digest=False)
    assert hub.certificates.authorities == (own,)
    (docker / "client.key").unlink()
    with pytest.raises(RegistryConfigurationError, match=r"there is no `client\.key` beside it"):
        conf.endpoints("localhost:5000", "x", for_pull=True, by_digest=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registry = ", ": not valid TOML: Invalid value (at end of document)"),
        ("registry = 1", ", `registry`: Expected `array`, got `int`"),
        ("[[registry]]\ninsecure = true", ", `registry[0]`: names neither a prefix nor a location"),
        (
            '[[registry]]\nlocation = "a"\n[[registry]]\nlocation = "b"\ninsecure = 1',
            ", `registry[1].insecure`: Expected `bool`, got `int`",
        ),
        (
            '[[registry]]\nlocation = "a"\n[[registry.mirror]]\n'
            'location = "b"\npull-from-mirror = "x"',
            ", `registry[0].mirror[0].pull-from-mirror`: Invalid enum value 'x'",
        ),
        ('[[registry]]\nlocation = "https://a"', ", `registry[0]`: `https://a` is a URL"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / ".config/containers/registries.conf", text)
    conf = load(tmp_path)
    with pytest.raises(RegistryConfigurationError) as caught:
        conf.endpoints("r.example", "x", for_pull=True, by_digest=False)
    assert str(caught.value) == f"{path}{message}"


def test_a_blocked_registry_is_not_asked_and_the_file_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / ".config/containers/registries.conf",
        '[[registry]]\nlocation = "r.example/bad"\nblocked = true\n',
    )
    for for_pull in (True, False):
        with pytest.raises(RegistryError) as caught:
            load(tmp_path).endpoints("r.example", "bad/x", for_pull=for_pull, by_digest=False)
        assert str(caught.value) == f"{path}, `registry[0]`: `r.example/bad` is blocked"
    load(tmp_path).endpoints("r.example", "good", for_pull=False, by_digest=False)
