"""Models with a Python that is not the base's own: what is in their images works as anywhere."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from click.testing import CliRunner

from cogn import lockfiles
from cogn.cli.main import cogn
from cogn.lockfiles import LOCK_NAME, StandalonePython
from cogn.store import Cache
from support import projects
from support.bases import real_base
from support.containers import podman, run_in, running_container
from support.projects import cache_of_inputs, digest_of, unseal
from support.registry import FakeRegistry
from support.servers import free_port, wait_until
from support.standalone import MINOR, NEEDED, VERSION, FakeBuild, make_build
from support.wheels import make_wheel

pytestmark = [pytest.mark.network, pytest.mark.podman]

HOME = "/opt/cogn/python"
SERVER = (
    "import sys, humanize\ndef run() -> str:\n    return f'{sys.version} {humanize.__name__}'\n"
)
TOOL = {
    "tool.py": "def main():\n    print('the tool runs')\n",
    "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> FakeBuild:
    return make_build(tmp_path_factory.mktemp("mirror"))


@pytest.fixture(scope="module")
def project(build: FakeBuild, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with that Python, and its image in podman under the project's name."""
    project = write_project(tmp_path_factory.mktemp("project"), MINOR, NEEDED)
    with pytest.MonkeyPatch.context() as patch:
        use(build, patch)
        assemble(project)
    yield project
    podman("rmi", "--force", project.name)


def use(build: FakeBuild, patch: pytest.MonkeyPatch) -> None:
    """Let uv's variables name the build."""
    for name, value in build.environment.items():
        patch.setenv(name, value)


def write_project(
    parent: Path, python: str, packages: tuple[str, ...] = (), settings: str = ""
) -> Path:
    """Write a project that asks for a version of Python; return its directory."""
    project = parent / f"cogn-test-{uuid4().hex[:12]}"
    project.mkdir()
    (project / "cog.yaml").write_text(
        f"build:\n  python_version: '{python}'\n  python_packages: [humanize==4.9.0]\n"
        f"  system_packages: [{', '.join(packages)}]\nrun: run.py:run\n"
    )
    source = 'python = "standalone"\n' if packages else ""
    (project / "cogn.toml").write_text(source + settings)
    (project / "run.py").write_text(SERVER)
    make_wheel(project, TOOL, name="tool")
    return project


def assemble(project: Path) -> None:
    for command in (["lock"], ["assemble", "--engine", "podman"]):
        result = CliRunner().invoke(cogn, [*command, str(project)], catch_exceptions=False)
        assert result.exit_code == 0, result.output


def python(image: str, *lines: str, program: str = "python") -> str:
    """Run lines of Python in the image; return what they print."""
    return run_in(image, program, "-c", "\n".join(lines)).strip()


def test_predictions_are_served(project: Path) -> None:
    locked = lockfiles.read(project / LOCK_NAME).environments["linux/amd64"]
    assert isinstance(locked.python, StandalonePython)
    assert (locked.python.version, locked.tools) == (VERSION, ())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_container(project.name, "--env", f"PORT={port}"):

        def ready() -> bool:
            try:
                return httpx.get(f"{url}/readyz").status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(ready, "the model to be ready")
        answer = httpx.post(f"{url}/predictions", json={}).json()
    assert answer["output"] == f"{sys.version} humanize"


def test_it_is_the_one_on_path_and_in_scripts(project: Path) -> None:
    line = (
        "import sys, os; print(sys.version_info[:3], sys.prefix, os.path.realpath(sys.executable))"
    )
    expected = f"{tuple(map(int, VERSION.split('.')))} {HOME} {HOME}/bin/python{MINOR}"
    for program in ("python", "python3", f"python{MINOR}", "/usr/local/bin/python"):
        assert python(project.name, line, program=program) == expected
    files = "import json, humanize; print(json.__cached__, humanize.__cached__)"
    tag = f"cpython-{MINOR.replace('.', '')}.pyc"
    bytecode = [
        f"{HOME}/lib/python{MINOR}/json/__pycache__/__init__.{tag}",
        f"/opt/cogn/site/humanize/__pycache__/__init__.{tag}",
    ]
    assert python(project.name, files).split() == bytecode
    assert run_in(project.name, "ls", *bytecode).split() == sorted(bytecode)


def test_what_the_model_locks_comes_before_what_the_interpreter_brings(project: Path) -> None:
    found = python(
        project.name, "import sys", "print([p for p in sys.path if 'python3' in p or 'cogn' in p])"
    )
    *library, model, own = ast.literal_eval(found)
    assert (model, own) == ("/opt/cogn/site", f"{HOME}/lib/python{MINOR}/site-packages")
    assert all(path.startswith(f"{HOME}/lib/python3") for path in library)


def test_pip_installs_beside_the_locked_packages(project: Path) -> None:
    check_pip(project.name, f"{HOME}/lib/python{MINOR}/site-packages/tool.py")


def check_pip(image: str, place: str) -> None:
    script = (
        "pip install --quiet --root-user-action ignore ./tool-1.0-py3-none-any.whl; tool; "
        "python -c 'import tool, humanize; print(tool.__file__)'; pip list --format freeze; "
        "pip uninstall --quiet --yes --root-user-action ignore tool; pip3 --version"
    )
    printed = run_in(image, "sh", "-euc", script).splitlines()
    assert printed[:2] == ["the tool runs", place]
    assert {"humanize==4.9.0", "tool==1.0"} < set(printed)
    assert printed[-1].startswith("pip ")


@pytest.mark.parametrize("program", ["python", "/usr/local/bin/python"])
def test_it_makes_virtual_environments(project: Path, program: str) -> None:
    script = (
        f"{program} -m venv /tmp/v; cd /tmp/v/bin; ./pip install --quiet /src/tool-1.0-*.whl; "
        "./tool; ./python -c 'import ssl, sys; print(sys.prefix)'"
    )
    assert run_in(project.name, "sh", "-euc", script).splitlines() == ["the tool runs", "/tmp/v"]


def test_it_finds_libraries_and_certificates_of_the_image(project: Path) -> None:
    found = python(
        project.name,
        "import ctypes.util, os, ssl",
        "print([ctypes.util.find_library(name) for name in ('c', 'ssl', 'ffi')])",
        "paths = ssl.get_default_verify_paths()",
        "print(os.path.realpath(paths.openssl_capath), ssl.create_default_context().verify_mode)",
    ).splitlines()
    assert found[0] == "['libc.so.6', 'libssl.so.3', 'libffi.so.8']"
    assert found[1].startswith("/etc/ssl/certs ")


def test_sysconfig_names_the_image_and_not_the_machine_of_the_build(project: Path) -> None:
    found = ast.literal_eval(
        python(
            project.name,
            "import sysconfig",
            "print({k: v for k, v in sysconfig.get_config_vars().items() if isinstance(v, str)})",
        )
    )
    words = [word for value in found.values() for word in value.replace("'", " ").split()]
    starts = ("/install", "/build", "/tools", "-I/tools", "-L/tools", str(Path(sys.base_prefix)))
    assert not [word for word in words if word.startswith(starts)]
    assert (found["prefix"], found["CC"], found["AR"]) == (HOME, "cc -pthread", "ar")
    assert found["CFLAGS"] == "-O3 -fPIC"
    assert found["INCLUDEPY"] == f"{HOME}/include/python{MINOR}"
    assert "Python.h" in run_in(project.name, "ls", found["INCLUDEPY"])


def test_it_needs_no_shell(
    build: FakeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(build, monkeypatch)
    settings = "shell = false\nbytecode = false\n"
    project = write_project(tmp_path, VERSION, NEEDED, settings)
    try:
        assemble(project)
        wheel = "/src/tool-1.0-py3-none-any.whl"
        run_in(project.name, "pip", "install", "--root-user-action", "ignore", wheel)
        lines = ("import ctypes.util, humanize", "print(ctypes.util.find_library('ssl'))")
        assert python(project.name, *lines) == "libssl.so.3"
        with pytest.raises(AssertionError):
            run_in(project.name, "sh", "-c", "true")
    finally:
        podman("rmi", "--force", project.name)


def test_it_is_the_same_layer_on_an_image_and_works_there(
    project: Path, build: FakeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(build, monkeypatch)
    own = lockfiles.read(project / LOCK_NAME).environments["linux/amd64"]
    with FakeRegistry() as registry:
        real_base(own).put(registry)
        other = write_project(tmp_path, MINOR, NEEDED, f'base = "{registry.host}/team/base:1"\n')
        assemble(other)
    try:
        theirs = lockfiles.read(other / LOCK_NAME).environments["linux/amd64"]
        names = {f"python {VERSION}", f"bytecode of python {VERSION}", "server", "wheels"}
        mine, same = (
            {seal.digest for seal in each.seals if seal.layer in names} for each in (own, theirs)
        )
        assert (len(same), same) == (len(names), mine)
        check_pip(other.name, f"{HOME}/lib/python{MINOR}/site-packages/tool.py")
    finally:
        podman("rmi", "--force", other.name)


def test_its_image_is_the_same_wherever_it_is_made(
    project: Path, build: FakeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(build, monkeypatch)
    digests = set()
    for name, umask in (("one", 0o022), ("another place", 0o077)):
        copy = tmp_path / name / project.name
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".cogn"))
        cache = cache_of_inputs(unseal(copy), tmp_path / name / "cache")
        ended = projects.cogn("assemble", copy, cache=cache, umask=umask)
        digests.add(digest_of(ended))
    assert len(digests) == 1


def test_an_archive_with_another_hash_is_refused(
    project: Path, build: FakeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / project.name
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".cogn"))
    lock = unseal(copy)
    cache = cache_of_inputs(lock, tmp_path / "cache")
    Cache(cache).path(build.sha256).unlink()
    mirror = tmp_path / "mirror"
    shutil.copytree(build.mirror, mirror)
    other = FakeBuild(mirror, build.file, build.sha256)
    use(other, monkeypatch)
    other.archive.write_bytes(b"something else")
    ended = projects.cogn("assemble", copy, cache=cache)
    assert ended.returncode == 1
    assert (
        f"{build.file} is not what the lock names: expected sha256 {build.sha256}" in ended.stderr
    )
    other.archive.unlink()
    ended = projects.cogn("assemble", copy, cache=cache)
    assert f"cannot read `{other.archive}`: No such file or directory" in ended.stderr


def test_pip_installs_beside_the_locked_packages_of_debians_python_too(tmp_path: Path) -> None:
    project = write_project(tmp_path, "3.13")
    try:
        assemble(project)
        locked = lockfiles.read(project / LOCK_NAME).environments["linux/amd64"]
        assert [wheel.name for wheel in locked.tools] == ["pip"]
        check_pip(project.name, "/usr/local/lib/python3.13/dist-packages/tool.py")
        # The model itself does not see it: its packages are its own.
        assert (
            python(project.name, "import importlib.util as u; print(u.find_spec('pip'))") == "None"
        )
    finally:
        podman("rmi", "--force", project.name)
