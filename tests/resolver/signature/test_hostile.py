"""Source that is made to do harm, is broken, or is not what it seems to be."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogn.report import CognError
from cogn.resolver.signature import PredictorError, UnknownValueError, read_signature
from cogn_runtime.schema import Scalar, Signature
from support.predictors import live_signature

PREDICTOR = "class Predictor:\n    def predict(self, a: int = {}) -> str:\n        return ''\n"
CASES = Path(__file__).parents[2] / "cases"


def write(root: Path, **modules: str | bytes) -> Path:
    for name, source in modules.items():
        content = source if isinstance(source, bytes) else source.encode()
        (root / f"{name}.py").write_bytes(content)
    return root


def read(root: Path) -> Signature:
    return read_signature(root, "predict.py:Predictor")


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('no')",
        "import sys; sys.exit(3)",
        "import os; os._exit(3)",
        "open('written', 'w').write('x')",
        "import pathlib; pathlib.Path('written').write_text('x')",
        "__import__('os').system('touch written')",
        'exec(\'open("written", "w")\')',
        "eval('1/0')",
        "[print for print in ().__class__.__base__.__subclasses__()][0]()",
        "while True: pass",
        "def f(): return f()\nf()",
        "import helper",
        "from helper import *",
    ],
)
def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        helper="open('written', 'w')\nraise SystemExit",
        predict=f"{body}\n{PREDICTOR.format(3)}",
    )
    before = set(sys.modules)
    signature = read(tmp_path)
    assert signature.inputs[0].default == 3
    assert not (tmp_path / "written").exists()
    assert {"helper", "predict"}.isdisjoint(set(sys.modules) - before)


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "2**(10**9)",
        "1 << 10**9",
        "(1 << 9000) * (1 << 9000)",
        "'a' * 10**9",
        "[0] * 10**10",
        "list(range(10**9))",
        "sum(range(10**12))",
        "len(range(10**30))",
        "f'{1:>1000000000}'",
        "f'{1:{10**9}}'",
        "'%1000000000d' % 1",
        "'%*d' % (10**9, 1)",
        "'{:1000000000}'.format(1)",
        "'{:{}}'.format(1, 10**9)",
        "'{0.__class__.__mro__}'.format(1)",
        "'a'.ljust(10**9)",
        "'a'.zfill(10**9)",
        "('a' * 9999).replace('a', 'b' * 9999)",
        "('a' * 9999).join(['b'] * 9999)",
        "'%s' * 9999 % (('a' * 9999,) * 9999)",
        "round(5, -10**9)",
        "int('9' * 5000)",
        "[[0] * 300 for _ in range(10**4)]",
        "[a for a in range(999) for b in range(999) for c in range(999)]",
        "(lambda f: f(f))(lambda f: f(f))",
        "1 / 0",
        "[][0]",
        "{}['x']",
        "().__class__.__base__.__subclasses__()",
        "(1).__class__",
        "print",
        "open('/etc/passwd').read()",
        "__file__",
        "__builtins__",
        "-" * 2000 + "1",
        "[" * 90 + "]" * 90,
        "+".join(["1"] * 3000),
        "a" + ".b" * 3000,
        "await x",
        "(yield)",
        "lambda: 0",
        "...  if x else 1",
        "1 if undefined else 2",
        "*x",
        "0xF" + "F" * 5000,
        "1e400",
        "{1, 2}.pop()",
        "list({'a', 'b'})[0]",
        "hash('a')",
        "id(1)",
        "input()",
        "globals()",
    ],
)
def test_what_cannot_be_known_or_is_too_much_is_refused_at_once(
    tmp_path: Path, expression: str
) -> None:
    root = write(tmp_path, predict=PREDICTOR.format(expression))
    begin = time.monotonic()
    with pytest.raises(CognError) as refusal:
        read(root)
    assert time.monotonic() - begin < 5
    for problem in refusal.value.problems:
        assert isinstance(problem, PredictorError)
        assert problem.where is not None
        assert problem.where.file == "predict.py"
        assert len(problem.message) < 500


@pytest.mark.parametrize(
    "body",
    [
        "a = 'x' * 1000\n" + "a = a + a\n" * 100,
        "a = [0]\n" + "a = [a, a]\n" * 100,
        "a = []\na.append(a)\n",
        "a = {}\na['a'] = a\n",
        "a = [1]\nfor each in a:\n    a.append(1)\n",
        "a = [0]\n" + "a += a\n" * 100,
        "a = 3\n" + "a = a ** 3\n" * 100,
        "def f(n):\n    return f(n - 1) + f(n - 1)\na = f(30)\n",
        "def f(n):\n    return [f, f]\na = f\n" + "a = [a(1) for _ in range(900)]\n" * 3,
        "".join(
            f"class C{n}(C{n - 1}, C{n - 1}): pass\n" if n else "class C0: pass\n"
            for n in range(60)
        )
        + "a = C59.x\n",
        "from typing import Union\na = int\n" + "a = Union[a, a, str]\n" * 60,
    ],
)
def test_growth_is_bounded(tmp_path: Path, body: str) -> None:
    root = write(tmp_path, predict=body + PREDICTOR.format("a"))
    begin = time.monotonic()
    with pytest.raises(CognError):
        read(root)
    assert time.monotonic() - begin < 5
    assert read(write(tmp_path, predict=body + PREDICTOR.format(3))).inputs[0].default == 3


def test_models_that_hold_each_other_many_times_are_refused_at_once(tmp_path: Path) -> None:
    source = "from cog import BaseModel\nclass M0(BaseModel):\n    x: int\n"
    for number in range(1, 40):
        source += f"class M{number}(BaseModel):\n    a: M{number - 1}\n    b: M{number - 1}\n"
    source += "class Predictor:\n    def predict(self) -> M39: ...\n"
    begin = time.monotonic()
    with pytest.raises(UnknownValueError, match="too many steps"):
        read(write(tmp_path, predict=source))
    assert time.monotonic() - begin < 10


def test_modules_that_import_each_other_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        predict="from one import A\n" + PREDICTOR.format("A"),
        one="from two import B\nA = B + 1\nC = 5\n",
        two="import one\nB = 2\n",
    )
    assert read(tmp_path).inputs[0].default == 3


def test_a_name_that_modules_only_import_from_each_other_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        predict="from one import A\n" + PREDICTOR.format("A"),
        one="from two import A\n",
        two="from one import A\n",
    )
    with pytest.raises(UnknownValueError, match="in a circle"):
        read(tmp_path)


def test_a_module_may_import_itself(tmp_path: Path) -> None:
    write(tmp_path, predict="from predict import *\n" * 100 + "A = 3\n" + PREDICTOR.format("A"))
    assert read(tmp_path).inputs[0].default == 3
    star = "from torch import *\n" + "from predict import *\n" * 100
    with pytest.raises(UnknownValueError, match=r"`torch\.A` comes from outside the project"):
        read(write(tmp_path, predict=star + PREDICTOR.format("A")))


def test_aliases_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        predict="X = 'Y'\nY = 'X'\nclass Predictor:\n    def predict(self, a: X) -> str: ...\n",
    )
    with pytest.raises(UnknownValueError, match="nested too deeply"):
        read(tmp_path)


def test_packages_are_read_with_and_without_an_init_file(tmp_path: Path) -> None:
    for name in ("plain", "whole", "whole/inner"):
        (tmp_path / name).mkdir()
    (tmp_path / "whole" / "__init__.py").write_text("from .inner import *\nfrom . import part\n")
    (tmp_path / "whole" / "part.py").write_text("B = 2\n")
    inner = "from ..part import B\nfrom .deep import C\n__all__ = ['B', 'C']\n"
    (tmp_path / "whole" / "inner" / "__init__.py").write_text(inner)
    (tmp_path / "whole" / "inner" / "deep.py").write_text("C = 3\nD = 4\n")
    (tmp_path / "plain" / "part.py").write_text("A = 1\n")
    imports = "import plain.part\nfrom plain import part as p\nimport whole.inner.deep as d\n"
    imports += "from whole import B, C, part\nimport whole\n"
    values = "[plain.part.A, p.A, d.D, B, C, part.B, whole.inner.C]"
    source = (
        f"{imports}class Predictor:\n    def predict(self, a: list[int] = {values}) -> str: ..."
    )
    write(tmp_path, predict=source)
    assert read(tmp_path).inputs[0].default == [1, 1, 4, 2, 3, 2, 3]
    assert read(tmp_path) == live_signature(tmp_path, "predict.py:Predictor")


def test_a_relative_import_in_the_predictor_fails_as_it_would_in_the_image(tmp_path: Path) -> None:
    write(tmp_path, one="A = 3\n", predict="from .one import A\n" + PREDICTOR.format(3))
    with pytest.raises(PredictorError, match="is in no package that it could start from"):
        read(tmp_path)
    guarded = "try:\n    from .one import A\nexcept ImportError:\n    from one import A\n"
    assert read(write(tmp_path, predict=guarded + PREDICTOR.format("A"))).inputs[0].default == 3


def test_a_module_outside_of_the_project_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write(outside, helper="A = 3\n", predict=PREDICTOR.format(3))
    root = tmp_path / "root"
    root.mkdir()
    (root / "helper.py").symlink_to(outside / "helper.py")
    write(root, predict="from helper import A\n" + PREDICTOR.format("A"))
    with pytest.raises(PredictorError, match=r"`helper\.py` leads out of the project"):
        read(root)
    for reference in ("../outside/predict.py:Predictor", "link.py:Predictor"):
        (root / "link.py").unlink(missing_ok=True)
        (root / "link.py").symlink_to(outside / "predict.py")
        with pytest.raises(PredictorError, match="leads out of the project"):
            read_signature(root, reference)


def test_links_within_the_project_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    write(tmp_path, real="A = 3\n", predict="from linked import A\n" + PREDICTOR.format("A"))
    (tmp_path / "linked.py").symlink_to("real.py")
    assert read(tmp_path).inputs[0].default == 3
    (tmp_path / "linked.py").unlink()
    (tmp_path / "linked.py").symlink_to("linked.py")
    with pytest.raises(UnknownValueError, match=r"`linked\.A` comes from outside the project"):
        read(tmp_path)


def test_encodings_are_those_that_python_knows(tmp_path: Path) -> None:
    text = "# -*- coding: {} -*-\nNAME = 'Größe'\nclass Predictor:\n"
    text += "    def predict(self, a: str = NAME) -> str: ...\n"
    for encoding in ("latin-1", "utf-8", "cp1252", "iso-8859-15"):
        write(tmp_path, predict=text.format(encoding).encode(encoding))
        assert read(tmp_path).inputs[0].default == "Größe"
    write(tmp_path, predict=b"\xef\xbb\xbf" + text.format("utf-8").encode())
    assert read(tmp_path).inputs[0].default == "Größe"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"NAME = '\xff'\n", "not valid Python"),
        (b"# coding: nonsense\n", "not valid Python"),
        (b"# coding: utf-8\nx = '\xe9'\n", "not valid Python"),
        (b"x = 1\0\n", "not valid Python"),
        (b"def f(:\n", "not valid Python"),
        (b"x = (\n", "not valid Python"),
        (b"(" * 300 + b")" * 300, "not valid Python"),
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply"),
        (b"x = " + b"1+" * 100_000 + b"1", "nested too deeply"),
        (b"x = " + b"9" * 5000, "not valid Python"),
        (b"x = '" + b"a" * 5_000_000 + b"'", "larger than 1 MiB"),
        (b"", "defines nothing called `Predictor`"),
        (b"\xef\xbb\xbf", "defines nothing called `Predictor`"),
    ],
)
def test_what_is_no_module_is_refused(tmp_path: Path, source: bytes, message: str) -> None:
    write(tmp_path, predict=source)
    with pytest.raises(PredictorError, match=message) as refusal:
        read(tmp_path)
    assert refusal.value.where is not None
    assert refusal.value.where.file == "predict.py"


def test_a_module_that_is_not_needed_may_be_broken(tmp_path: Path) -> None:
    write(
        tmp_path,
        broken=b"x" * 5_000_000,
        predict="import broken\nfrom broken import X\n" + PREDICTOR.format(3),
    )
    assert read(tmp_path).inputs[0].default == 3


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py:Predictor", "there is no Python file `nowhere.py`"),
        ("predict.py:Nobody", "defines nothing called `Nobody`"),
        ("predict.py:", "defines nothing called ``"),
        ("predict.py", "defines nothing called ``"),
        ("", "there is no Python file ``"),
        ("\0.py:X", "there is no Python file"),
    ],
)
def test_a_reference_to_nothing_is_refused(tmp_path: Path, reference: str, message: str) -> None:
    write(tmp_path, predict=PREDICTOR.format(3))
    with pytest.raises(PredictorError, match=message):
        read_signature(tmp_path, reference)


SOURCES = sorted((CASES / "predictors").glob("*.py"))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The source of a case with pieces dropped, doubled, swapped, or overwritten with anything."""
    source = draw(st.sampled_from(SOURCES)).read_bytes()
    by_tokens = draw(st.booleans())
    pieces = source.split(b" ") if by_tokens else [bytes([each]) for each in source]
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(pieces) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "bytes", "token"])):
            case "drop":
                pieces[at : at + draw(st.integers(1, 4))] = [b""]
            case "double":
                pieces[at:at] = pieces[at : at + draw(st.integers(1, 30))]
            case "swap":
                other = draw(st.integers(0, len(pieces) - 1))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case "bytes":
                pieces[at] = draw(st.binary(max_size=4))
            case "token":
                token = st.sampled_from([b"(", b")", b"[", b"]", b"*", b"**", b"Input", b"None"])
                pieces[at] = draw(token | st.sampled_from([b"Predictor", b":", b"|", b"%", b"1"]))
    return (b" " if by_tokens else b"").join(pieces)


@settings(max_examples=400, deadline=5000, suppress_health_check=list(HealthCheck))
@given(source=mutated())
def test_broken_source_gives_a_signature_or_an_error_of_ours(
    source: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "mutated"
    root.mkdir(exist_ok=True)
    if not (root / "shared").exists():
        (root / "shared").mkdir()
        for path in (CASES / "predictors" / "shared").glob("*.py"):
            (root / "shared" / path.name).write_bytes(path.read_bytes())
    (root / "predict.py").write_bytes(source)
    try:
        signature = read(root)
    except CognError as error:
        assert all(isinstance(each, PredictorError) for each in error.problems)  # noqa: PT017
    else:
        assert Signature.from_json(signature.to_json()) == signature


def test_the_steps_for_one_statement_leave_some_for_the_next(tmp_path: Path) -> None:
    table = "TABLE = {" + ", ".join(f"{n}: f({n})" for n in range(20_000)) + "}\n"
    write(tmp_path, predict=table + "A = 3\n" + PREDICTOR.format("A"))
    (field,) = read(tmp_path).inputs
    assert (field.type, field.default) == (Scalar("int"), 3)
