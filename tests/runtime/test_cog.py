"""The package that model code imports."""

from __future__ import annotations

import importlib
import pathlib
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cog
import cogn_runtime
from cog.input import FieldInfo
from cog.predictor import load_predictor_from_ref
from cog.scope import entered
from support.debian import serving

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


def test_it_has_the_names_that_cog_has() -> None:
    names = """
        __version__ BaseRunner BasePredictor BaseModel Opaque Input FieldInfo Path Secret File
        URLFile URLPath ConcatenateIterator AsyncConcatenateIterator CancelationException
        current_scope streaming concurrent ExperimentalFeatureWarning emit_metric
    """
    assert set(names.split()) - set(cog.__all__) == set()
    for module, name in (
        ("cog.errors", "CogError"),
        ("cog.errors", "ConfigDoesNotExist"),
        ("cog.errors", "PredictorNotSet"),
        ("cog.mode", "Mode"),
        ("cog.predictor", "load_predictor_from_ref"),
        ("cog.types", "URLPath"),
    ):
        assert hasattr(importlib.import_module(module), name)


def test_a_model_can_call_its_other_spelling() -> None:
    class Runner(cog.BaseRunner):
        def run(self, n: int) -> int:
            return n + 1

    class Older(cog.BasePredictor):
        def predict(self, n: int) -> int:
            return n + 2

    class Neither(cog.BaseRunner): ...

    with pytest.warns(DeprecationWarning, match=r"Runner.predict\(\) is deprecated; use run"):
        assert Runner().predict(1) == 2
    assert Older().run(1) == 3
    with pytest.raises(NotImplementedError):
        Neither().run()


def test_a_predictor_is_loaded_by_its_reference(tmp_path: Path) -> None:
    file = tmp_path / "own_predictor.py"
    file.write_text("class Runner: name = 'r'\nclass Other: name = 'o'\ndef train(): return 't'\n")
    assert load_predictor_from_ref(str(file)).name == "r"
    assert load_predictor_from_ref(f"{file}:Other").name == "o"
    assert load_predictor_from_ref(f"{file}:train")() == "t"


def test_files_are_made_of_urls(tmp_path: Path) -> None:
    (tmp_path / "a file.txt").write_text("content")
    assert cog.File.validate("data:text/plain;base64,eA==").read() == b"x"
    assert cog.Path.validate("data:,x%20y").read_bytes() == b"x y"
    assert cog.Path.validate("/tmp/x") == cog.Path("/tmp/x")
    with serving(tmp_path) as (url, _):
        file = cog.File.validate(f"{url}/a%20file.txt")
        assert isinstance(file, cog.URLFile)
        again = pickle.loads(pickle.dumps(file))
        assert file.read() == again.read() == b"content"
        assert again.name == "a file.txt"
        file.close()
        again.close()
        assert cog.Path.validate(f"{url}/a%20file.txt").name.endswith("a file.txt")
    with pytest.raises(ValueError, match=r"needs an http\(s\) URL"):
        cog.File.validate("/tmp/x")
    with pytest.raises(TypeError, match=r"use Path\.validate"):
        cog.URLPath(source="x", filename="x", fileobj=None)


def test_metrics_are_recorded_and_removed_in_all_spellings() -> None:
    done: list[tuple[str, object, str]] = []
    scope = cog.Scope({}, lambda *each: done.append(each))
    with entered(scope, alone=False):
        cog.emit_metric("a", 1.5)
        scope.metrics["b"] = 2
        del scope.metrics["b"]
        scope.record_metric("c", None)
    assert done == [
        ("a", 1.5, "replace"),
        ("b", 2, "replace"),
        ("b", None, "delete"),
        ("c", None, "delete"),
    ]
