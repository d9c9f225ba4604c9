"""The whole torch CUDA stack in one image, run where there is no GPU: gigabytes, so not on CI."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cogn import lockfiles
from cogn.cli.main import cogn
from support.containers import podman, run_in
from support.locks import AMD64

pytestmark = [pytest.mark.large, pytest.mark.network, pytest.mark.podman]

TORCH = "2.9.1"

CHECKS = """
import ctypes, glob, os, subprocess, torch
print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())
print((torch.ones(64, 64) @ torch.ones(64, 64)).sum().item())
missing = []
for library in glob.glob('/opt/cogn/site/nvidia/*/lib/*.so*'):
    # What the driver brings is on GPU machines alone.
    lines = subprocess.run(['ldd', library], capture_output=True, text=True).stdout.splitlines()
    missing += [(library, line.split()[0]) for line in lines if 'not found' in line]
print(*sorted({name for _, name in missing}))
print(os.path.realpath(torch.__file__))
"""


FABRICS = {
    *("libfabric.so.1", "libibverbs.so.1", "libmlx5.so.1", "libmpi.so.40", "liboshmem.so.40"),
    *("libpmix.so.2", "librdmacm.so.1", "libucp.so.0", "libucs.so.0"),
}
"""What plugins of nvshmem and cufile need on machines that have such networks."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that needs torch with CUDA."""
    directory = tmp_path_factory.mktemp("torch")
    (directory / "cog.yaml").write_text(
        "build: {gpu: true, python_version: '3.13', python_requirements: requirements.txt}\n"
        "run: run.py:run\n"
    )
    (directory / "requirements.txt").write_text(f"torch=={TORCH}\nnumpy\n")
    (directory / "run.py").write_text("def run() -> str:\n    return ''\n")
    result = CliRunner().invoke(cogn, ["lock", str(directory)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return directory


def test_torch_works_and_its_libraries_resolve(project: Path, tmp_path: Path) -> None:
    layout = tmp_path / "image"
    arguments = ["assemble", str(project), "-o", f"oci:{layout}"]
    result = CliRunner().invoke(cogn, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    locked = lockfiles.read(project / "cogn.lock").environments[AMD64]
    assert len(locked.seals) < 100
    wheels = sum(wheel.size for wheel in locked.wheels)
    names = {wheel.name for wheel in locked.wheels}
    large = sum(seal.size for seal in locked.seals if seal.layer.split()[0] in names)
    assert large <= wheels
    image = podman("pull", "--quiet", f"oci:{layout}:latest").strip()
    try:
        version, total, missing, place = run_in(image, "python", "-c", CHECKS).splitlines()
    finally:
        podman("rmi", "--force", image)
    assert version == f"{TORCH}+cu128 12.8 91002"
    assert total == "262144.0"
    assert set(missing.split()) <= FABRICS
    assert place.startswith("/opt/cogn/site/torch/")
