"""Projects as data: each file of tests/cases/configs is a project and what cogn says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from cogn.report import CognError
from cogn.resolver import ConfigError, Project, ProjectError
from cogn.resolver.settings import DEFAULT_SUITE
from cogn.store.uv import Builds
from support.reports import Recorder

CASES = Path(__file__).parents[1] / "cases" / "configs"


def load_case(name: str) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load((CASES / f"{name}.yaml").read_text("utf-8"))
    return case


def make_project(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def said(message: str, hint: str | None) -> dict[str, str]:
    return {"message": message} | ({"hint": hint} if hint else {})


def builds(builds: Builds) -> dict[str, list[str]]:
    """What is, and what is not, to be built from source."""
    listed = {"forced": sorted(builds.forced), "never": sorted(builds.never)}
    return {key: names for key, names in listed.items() if names} if builds.allowed else {}


def facts(project: Project) -> dict[str, Any]:
    """What the project came to, without what is empty."""
    requirements = project.requirements
    required = {
        "predictor": project.config.predictor,
        "gpu": project.config.build.gpu,
        "python": project.config.build.python_version,
    }
    optional = {
        "requirements": list(requirements.lines),
        "constraints": list(requirements.constraints),
        "variables": project.config.variables,
        "repository": project.config.repository,
        "origins": msgspec.json.decode(msgspec.json.encode(requirements.origins)),
        "builds": builds(requirements.builds),
        "mirrors": project.settings.archives.mirrors,
        "system_packages": list(map(str, project.system_packages)),
        "allow_unrun": list(project.settings.allow_unrun),
        "suite": project.settings.suite if project.settings.suite != DEFAULT_SUITE else None,
    }
    hashes = requirements.hashes
    return {
        **required,
        **{key: value for key, value in optional.items() if value},
        **({} if project.settings.shell else {"shell": False}),
        **({} if hashes is None else {"hashes": {key: [*hashes[key]] for key in hashes}}),
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_a_project_is_read_or_refused_as_its_case_says(name: str, tmp_path: Path) -> None:
    case = load_case(name)
    directory = make_project(tmp_path, case["files"])
    recorder = Recorder()
    outcome: dict[str, Any] = {}
    try:
        outcome["project"] = facts(Project.load(directory, recorder))
    except CognError as error:
        outcome["errors"] = [said(str(problem), problem.hint) for problem in error.problems]
    if recorder.notes:
        outcome["notes"] = recorder.notes
    if recorder.warnings:
        outcome["warnings"] = [said(*warning) for warning in recorder.warnings]
    assert outcome == {key: case[key] for key in case if key not in {"about", "files"}}


def test_a_project_is_found_from_a_directory_below_it(tmp_path: Path) -> None:
    make_project(tmp_path, {"cog.yaml": "run: predict.py:Predictor\n", "a/b/c.txt": ""})
    assert Project.load(tmp_path / "a" / "b").directory == tmp_path


def test_no_project_is_an_error_that_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        Project.load(tmp_path)
    assert caught.value.message == f"cog.yaml not found in `{tmp_path}` or in any parent directory"
    assert caught.value.hint == "write a cog.yaml with a line such as `run: predict.py:Predictor`"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"run: \xff\n", "cog.yaml: `cog.yaml` is not UTF-8"),
        (b"#" * (1 << 20) + b"\n", "cog.yaml: `cog.yaml` is larger than 1 MiB"),
        (b"run: a\x00b\n", "cog.yaml: not valid YAML: unacceptable character #x0000: "),
        (b"run: " + b"[" * 500, "cog.yaml: too deep or too large once its aliases are followed"),
    ],
    ids=["not UTF-8", "too large", "control character", "too deep"],
)
def test_a_file_that_is_no_configuration_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "cog.yaml").write_bytes(content)
    with pytest.raises((ConfigError, ProjectError)) as caught:
        Project.load(tmp_path)
    assert str(caught.value).startswith(message)


def test_byte_order_marks_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    (tmp_path / "cog.yaml").write_bytes(
        b"\xef\xbb\xbfrun: predict.py:P\r\nbuild:\r\n  python_requirements: requirements.txt\r\n"
    )
    (tmp_path / "requirements.txt").write_bytes(b"\xef\xbb\xbfnumpy\r\npillow \\\r\n  ==12.0.0\r\n")
    project = Project.load(tmp_path)
    assert project.config.predictor == "predict.py:P"
    assert project.requirements.lines == ("numpy", "pillow ==12.0.0")
