"""What cog.yaml and the requirements make of Python, CUDA, the index, the base and the driver.

The cases are in ``tests/cases/choices/choices.txt``, one a line: what cog.yaml and cogn.toml say,
the requirements, what uv resolves these to, and what is chosen or the error. In what uv resolves,
``runtime=12.8.90`` and ``cudnn=9.10.2.21`` stand for NVIDIA's wheels of these versions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cogn.lockfiles import Platform, Wheel
from cogn.report import CognError, ProblemsError
from cogn.resolver import Project
from cogn.resolver.cuda import check_pins, check_targets, choose_cuda, choose_torch_index
from cogn.resolver.gpu import gpu_request, nvidia_image, wanted_python
from cogn.resolver.matrix import load_matrix
from cogn.store.uv import Target
from support.reports import Recorder

FILE = Path(__file__).parents[1] / "cases" / "choices" / "choices.txt"
_BUILD = ("cuda", "cudnn", "python")
_LISTS = ("gpus",)
_INDEX = '[[index]]\nname = "own"\nurl = "https://example.com/simple"\n'


def cases() -> list[tuple[str, str, str, str]]:
    """The columns of each case."""
    lines = [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(part.strip() for part in line.split(" | ")) for line in lines]  # type: ignore[misc]


def write(directory: Path, said: str, requirements: str) -> None:
    """Write the project that a case is about."""
    build, settings = [], []
    words = said.split()
    if "gpu" in words:
        build.append("  gpu: true")
    if "index" in words:
        (directory / "uv.toml").write_text(_INDEX)
    options = dict(word.split("=", 1) for word in words if "=" in word)
    if "unset" not in words:
        options.setdefault("python", "3.13")
    for name, value in options.items():
        if name in _BUILD:
            build.append(f'  {name}{"_version" if name == "python" else ""}: "{value}"')
        elif name in _LISTS:
            names = ", ".join(f'"{each.replace("-", " ")}"' for each in value.split(","))
            settings.append(f"{name} = [{names}]")
        else:
            settings.append(f'{"torch_backend" if name == "backend" else name} = "{value}"')
    listed = "".join(f"\n    - {each}" for each in requirements.split())
    text = "\n".join(["build:", *build, f"  python_packages:{listed}", "run: run.py:run", ""])
    (directory / "cog.yaml").write_text(text)
    (directory / "cogn.toml").write_text("\n".join([*settings, ""]))


def wheels(resolved: str) -> list[Wheel]:
    """The wheels that a case says uv finds."""
    return [_wheel(*word.replace("==", "=").split("=")) for word in resolved.split()]


def _wheel(name: str, version: str) -> Wheel:
    major = version.partition(".")[0]
    match name:
        case "runtime":
            name = "nvidia-cuda-runtime" + (f"-cu{major}" if int(major) < 13 else "")
        case "cudnn":
            name = "nvidia-cudnn-cu12"
        case "toolkit":
            name = "cuda-toolkit"
    return Wheel(name=name, version=version, file="a.whl", sha256="0" * 64, size=600_000_000)


def outcome(directory: Path, said: str, requirements: str, resolved: str) -> str:
    """What is chosen, in the words of the file."""
    write(directory, said, requirements)
    platform: Platform = "linux/arm64" if "arm" in said.split() else "linux/amd64"
    matrix, recorder = load_matrix(), Recorder()
    try:
        project = Project.load(directory)
        python, _ = wanted_python(project, platform)
        target = Target(".".join(python.split(".")[:2]), platform)
        request = gpu_request(project, target)
        ProblemsError.raise_if_any(check_pins(request, platform, matrix))
        index = choose_torch_index(request, platform, matrix)
        choice = choose_cuda(wheels(resolved), request, platform, matrix, recorder, index=index)
        image = nvidia_image(choice, project, target, matrix)
        cuda = choice.wheels
        if cuda is not None:
            check_targets(request.targets, cuda, choice.torch, platform, matrix)
    except CognError as error:
        (problem,) = error.problems
        hint = f" ({problem.hint})" if problem.hint else ""
        return f"error: {problem.message}{hint}"
    base = str(image[0]).removeprefix("docker.io/") if image else project.settings.base or "debian"
    found = f"CUDA {cuda.version} driver {cuda.driver}" if cuda else "no CUDA of wheels"
    warned = "".join(f"; warning: {_short(message)}" for message, _ in recorder.warnings)
    backend = index.backend if index and choice.torch else "usual"
    return f"{python}, {backend}, {found}, {base}{warned}"


def _short(message: str) -> str:
    return message.partition("`: ")[2]


@pytest.mark.parametrize(
    ("said", "requirements", "resolved", "expected"),
    cases(),
    ids=[f"{said}|{requirements}".replace(" ", ",") for said, requirements, _, _ in cases()],
)
def test_the_choice(
    tmp_path: Path, said: str, requirements: str, resolved: str, expected: str
) -> None:
    assert outcome(tmp_path, said, requirements, resolved.replace("-", "", resolved == "-")) == (
        expected
    )
