"""The digest of a project's inputs: what makes a lock stale, and what does not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogn.report import Reporter, Where
from cogn.resolver import Project
from cogn.resolver.requirements import read_requirements
from support.locks import make_lock

FILES = {
    "cog.yaml": "run: predict.py:Predictor\nbuild:\n  python_requirements: requirements.txt\n",
    "requirements.txt": "numpy>=2\n-c constraints.txt\n",
    "constraints.txt": "idna<4\n",
}
EXPECTED = "sha256:4b3e645c8f4599fc746e64aa0012434d9028a9a47cb15d892e01e3cab864991e"


def digest(directory: Path, changes: dict[str, str] | None = None) -> str:
    directory.mkdir(exist_ok=True)
    for name, text in {**FILES, **(changes or {})}.items():
        (directory / name).write_bytes(text.encode())
    return Project.load(directory).inputs_digest


def test_the_digest_is_the_same_on_every_machine_and_in_every_version(tmp_path: Path) -> None:
    # Another value here makes every lock stale: that needs a reason and a line in the changelog.
    assert digest(tmp_path) == EXPECTED


@pytest.mark.parametrize(
    "changes",
    [
        {"requirements.txt": "numpy>=2\r\n-c constraints.txt\r\n"},
        {"requirements.txt": "# why\n\nnumpy>=2  # why\n--constraint=./constraints.txt"},
        {"requirements.txt": "-r more.txt\n", "more.txt": "-c constraints.txt\nnumpy>=2\n"},
        {"cog.yaml": FILES["cog.yaml"] + "environment: [A=1]\nimage: me/model\n"},
        {"cog.yaml": FILES["cog.yaml"] + "  gpu: false\n  python_version: 3.13\n"},
        {"cogn.toml": '[archives]\ndebian = "https://mirror.example/debian"\n'},
        {"cogn.toml": 'base = "debian"\n'},
        {"cogn.toml": 'suite = "trixie"\nshell = true\nallow_unrun = []\n'},
        {"cogn.toml": "recommends = true\n"},  # of no package
        {"pyproject.toml": "[project]\nname = 'x'\n"},
        {"other.txt": "unrelated"},
    ],
)
def test_what_does_not_decide_the_content_does_not_change_it(
    changes: dict[str, str], tmp_path: Path
) -> None:
    assert digest(tmp_path / "changed", changes) == digest(tmp_path / "plain")


@pytest.mark.parametrize(
    "changes",
    [
        {"requirements.txt": "numpy>=2.1\n-c constraints.txt\n"},
        {"requirements.txt": "numpy>=2\n-r constraints.txt\n"},
        {"constraints.txt": "idna<3\n"},
        {"cog.yaml": FILES["cog.yaml"] + "  gpu: true\n"},
        {"cog.yaml": FILES["cog.yaml"] + "  python_version: 3.13.5\n"},
        {"requirements.txt": "--require-hashes\nnumpy>=2\n-c constraints.txt\n"},
        {"cogn.toml": 'base = "debian:trixie-slim"\n'},
        {"cogn.toml": "shell = false\n"},
        {"cogn.toml": 'allow_unrun = ["dbus"]\n'},
        {"cogn.toml": '[archives]\nsnapshot = "20260901T000000Z"\n'},
        {"cog.yaml": FILES["cog.yaml"] + "  system_packages: [git]\n"},
        {"uv.toml": 'prerelease = "allow"\n'},
        {"pyproject.toml": '[tool.uv]\nprerelease = "allow"\n'},
        {"requirements.txt": "--pre\nnumpy>=2\n-c constraints.txt\n"},
        {"requirements.txt": "-i https://index.example/\nnumpy>=2\n-c constraints.txt\n"},
        {"cogn.toml": "build_sdists = true\n"},
    ],
)
def test_what_decides_the_content_changes_it(changes: dict[str, str], tmp_path: Path) -> None:
    assert digest(tmp_path / "changed", changes) != digest(tmp_path / "plain")


def test_a_variable_counts_by_its_name_and_not_by_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for number, value in enumerate(("one", "two")):
        monkeypatch.setenv("TOKEN", value)
        text = "-i https://me:${TOKEN}@index.example/\nnumpy\n"
        digests.add(digest(tmp_path / str(number), {"requirements.txt": text}))
    assert len(digests) == 1


def test_the_order_of_system_packages_does_not_change_it(tmp_path: Path) -> None:
    digests = {
        digest(
            tmp_path / str(number), {"cog.yaml": f"{FILES['cog.yaml']}  system_packages: {each}"}
        )
        for number, each in enumerate(("[git, curl]", "[curl, git, git]", '["git curl"]'))
    }
    assert len(digests) == 1
    more = {"cog.yaml": f"{FILES['cog.yaml']}  system_packages: [git, curl]"}
    digests.add(digest(tmp_path / "more", more | {"cogn.toml": "recommends = true\n"}))
    assert len(digests) == 2


def test_another_release_is_another_input(tmp_path: Path) -> None:
    python = {"cog.yaml": FILES["cog.yaml"] + "  python_version: 3.11\n"}
    older = digest(tmp_path / "older", python | {"cogn.toml": 'suite = "bookworm"\n'})
    image = digest(tmp_path / "image", python | {"cogn.toml": 'base = "debian:bookworm"\n'})
    assert older != image


def test_a_lock_without_bytecode_is_another_than_one_with_it(tmp_path: Path) -> None:
    inputs = digest(tmp_path)
    with_it, without = (make_lock(inputs=inputs, bytecode=wanted) for wanted in (True, False))
    assert not Project.load(tmp_path).brief.is_stale(with_it)
    assert Project.load(tmp_path).brief.is_stale(without)
    (tmp_path / "cogn.toml").write_text("bytecode = false\n")
    assert Project.load(tmp_path).brief.is_stale(with_it)
    assert not Project.load(tmp_path).brief.is_stale(without)


def test_a_list_and_a_file_of_the_same_requirements_are_the_same_inputs(tmp_path: Path) -> None:
    listed = "run: predict.py:Predictor\nbuild:\n  python_packages: [numpy>=2, idna]\n"
    in_file = digest(tmp_path / "file", {"requirements.txt": "numpy>=2\nidna\n"})
    assert digest(tmp_path / "list", {"cog.yaml": listed}) == in_file


NAMES = st.sampled_from(["numpy", "pillow >= 12", "uvloop; sys_platform == 'linux'", "idna[all]<4"])
NOISE = st.sampled_from(["", "# a comment", "   ", "\t# --index-url https://index.example"])


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, NOISE, NOISE)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_comments_blanks_and_line_ends_are_not_requirements(
    lines: list[tuple[str, str, str]], end: str
) -> None:
    text = end.join(f"{above}{end}  {line}  {beside}" for line, above, beside in lines)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "requirements.txt").write_bytes(text.encode())
        read = read_requirements(Path(name), "requirements.txt", Where("cog.yaml"), Reporter())
    assert read.lines == tuple(line for line, _, _ in lines)
