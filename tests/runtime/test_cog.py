"""The package that model code imports."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cog
import cogn_runtime
from cog.input import FieldInfo

RUNTIME = Path(cog.__file__).parents[1]


def test_it_needs_nothing_outside_the_standard_library() -> None:
    code = (
        f"import sys; sys.path.append({str(RUNTIME)!r})\n"
        "import cog, cog.server.http\n"
        "roots = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(roots - {'__main__', 'cog'}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "[]\n"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((RUNTIME / "pyproject.toml").read_text("utf-8"))["project"]
    assert cog.__version__ == cogn_runtime.__version__ == project["version"]


def test_input_returns_what_it_was_told() -> None:
    info = cog.Input(default=3, description="d", ge=1, le=5, choices=[3, 4], deprecated=True)
    assert info == FieldInfo(
        default=3, description="d", ge=1, le=5, choices=(3, 4), deprecated=True
    )
    assert cog.Input("positional").default == "positional"
    assert cog.Input().default is ...


def test_input_refuses_a_factory() -> None:
    with pytest.raises(TypeError, match="default_factory"):
        cog.Input(default_factory=list)  # type: ignore[call-arg]


def test_a_secret_does_not_show_itself() -> None:
    secret = cog.Secret("token")
    assert secret.get_secret_value() == "token"
    assert str(secret) == f"{secret}" == "**********"
    assert repr(secret) == "Secret('**********')"
    assert str(cog.Secret()) == ""
    assert secret == cog.Secret("token")
    with pytest.raises(AttributeError):
        secret.secret_value = "other"  # type: ignore[misc]


def test_a_path_is_a_path_and_stays_one() -> None:
    path = cog.Path("/tmp") / "x.png"
    assert isinstance(path, cog.Path)
    assert isinstance(path, pathlib.Path)
    assert path == pathlib.Path("/tmp/x.png")


def test_a_base_model_is_a_dataclass() -> None:
    class Output(cog.BaseModel):
        text: str
        score: float = 0.5

    class Longer(Output):
        more: str = ""

    assert Output("a") == Output(text="a", score=0.5)
    assert repr(Longer("a")).endswith("Longer(text='a', score=0.5, more='')")
    with pytest.raises(TypeError, match="non-default argument 'late' follows default"):
        type("Wrong", (Output,), {"__annotations__": {"late": str}})


def test_a_base_model_can_keep_its_own_init() -> None:
    class Output(cog.BaseModel, init=False):
        text: str

        def __init__(self) -> None:
            self.text = "own"

    class Plain(cog.BaseModel, auto_dataclass=False):
        text = "plain"

    assert Output() == Output()
    assert not hasattr(Plain, "__dataclass_fields__")


def test_streaming_marks_a_function_and_leaves_it() -> None:
    def run() -> str:
        return "x"

    assert cog.streaming(run) is run
