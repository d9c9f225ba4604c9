"""Lines of requirements that nobody would write: refused, or something that uv can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from cogn.report import CognError, Reporter, Where
from cogn.resolver.requirements import Requirements, list_requirements, read_requirements
from cogn.resolver.requirements.lines import has_password

PIECES = st.sampled_from(
    [
        *("numpy", "a", "@", " @ ", "==1.0", ";", " ; ", "#", "[", "]", "[x]", "${A}", "${", "/"),
        *("https://", "http://[", "git+", "file:", "file://h/", "./", "../", "~", "me:pw@", "h"),
        *(
            ".whl",
            ".zip",
            ".tar.gz",
            "-1.0-py3-none-any",
            "#sha256=",
            "#subdirectory=",
            "%00",
            "\0",
        ),
        *("-r ", "-c ", "-e ", "-i ", "-f ", "--pre", "--hash=sha256:", "--no-binary ", ":all:"),
        *(" ", "=", "0" * 40, "\\", "a" * 300, "é", "python_version > '3'", "'"),
    ]
)


def read(directory: Path, text: str) -> Requirements | None:
    """Return what the file says, None when it is refused."""
    (directory / "requirements.txt").write_text(text, "utf-8")
    try:
        return read_requirements(
            directory, "requirements.txt", Where("cog.yaml"), Reporter(), build_sdists=True
        )
    except CognError:
        return None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=8).map("".join))
def test_any_line_is_read_or_refused(tmp_path: Path, line: str) -> None:
    requirements = read(tmp_path, line)
    if requirements is not None:
        for each in requirements.lines:
            assert "\n" not in each
            Requirement(each)
        assert not any(has_password(each) for each in requirements.origins.options)


@pytest.mark.parametrize(
    "line",
    ["https://[/a-1.0-py3-none-any.whl", f"./{'a' * 300}.whl", "-f http://[", "--find-links=\0"],
)
def test_what_is_no_url_and_no_path_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"idna\n{line}\n")
    with pytest.raises(CognError) as caught:
        read_requirements(tmp_path, "requirements.txt", Where("cog.yaml"), Reporter())
    assert str(caught.value).startswith("requirements.txt:2: ")


def test_a_direct_reference_may_stand_in_a_list(tmp_path: Path) -> None:
    (tmp_path / "near-1.0-py3-none-any.whl").touch()
    wheres = [Where("cog.yaml", line=3)]
    requirements = list_requirements(tmp_path, ["./near-1.0-py3-none-any.whl"], wheres, Reporter())
    assert requirements.lines == ("near @ ./near-1.0-py3-none-any.whl",)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:secret@h/x", True),
        ("git+https://${USER}:secret@h/x", True),
        ("https://me:${PASSWORD}x@h/x", True),
        ("https://me:${PASSWORD}@h/x", False),
        ("https://${TOKEN}@h/x", False),
        ("git+ssh://git@h/x", False),
        ("https://h/x:y@z", False),
    ],
)
def test_a_password_is_noticed_unless_it_comes_from_the_environment(
    url: str, expected: bool
) -> None:
    assert has_password(url) is expected
