"""The bases that cogn makes: of another release, and without a shell."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from click.testing import CliRunner

from cogn.cli.main import cogn
from support.containers import podman, run_in, running_container
from support.servers import free_port, wait_until

pytestmark = [pytest.mark.network, pytest.mark.podman]

CASES = {
    "bookworm": ('suite = "bookworm"\n', "3.11", "libmagic1, sox", "bookworm"),
    "no shell": ("shell = false\n", "3.13", "libmagic1", "trixie"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_served_on_each_base(case: str, tmp_path: Path) -> None:
    settings, python, packages, release = CASES[case]
    name = f"cogn-test-{uuid4().hex[:12]}"
    project = tmp_path / name
    project.mkdir()
    (project / "cogn.toml").write_text(f"{settings}bytecode = false\n")
    (project / "cog.yaml").write_text(
        f"build:\n  python_version: '{python}'\n  system_packages: [{packages}]\nrun: run.py:run\n"
    )
    (project / "run.py").write_text(
        "import ctypes\n"
        "def run() -> str:\n"
        "    ctypes.CDLL('libmagic.so.1')\n"
        "    return open('/etc/os-release').read()\n"
    )
    for command in (["lock"], ["assemble", "--engine", "podman"]):
        result = CliRunner().invoke(cogn, [*command, str(project)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    try:
        with running_container(name, "--env", f"PORT={port}"):

            def ready() -> bool:
                try:
                    return httpx.get(f"{url}/readyz").status_code == 200
                except httpx.HTTPError:
                    return False

            wait_until(ready, "the model to be ready")
            answer = httpx.post(f"{url}/predictions", json={}).json()
        assert f"VERSION_CODENAME={release}" in answer["output"]
        check_system(name, case)
    finally:
        podman("rmi", "--force", name)


def check_system(image: str, case: str) -> None:
    """Check what is particular to a base."""
    if case == "bookworm":
        script = "readlink /bin /lib /sbin; dpkg -V; dpkg --audit; ldconfig -p | grep -c libmagic"
        assert run_in(image, "sh", "-euc", script).split() == [
            "usr/bin",
            "usr/lib",
            "usr/sbin",
            "1",
        ]
        return
    listed = run_in(image, "python", "-c", "import os; print(*os.listdir('/usr/bin'))")
    assert not {"sh", "dash", "bash", "perl", "apt"} & set(listed.split())
    with pytest.raises(AssertionError):
        run_in(image, "sh", "-c", "true")
    status = run_in(image, "python", "-c", "print(open('/var/lib/dpkg/status').read())")
    assert "Package: libmagic1" in status
