"""What code changes in place: followed where it can be, unknown where not, never overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cogn.resolver.signature import UnknownValueError, read_signature
from support.predictors import live_signature

PREDICTOR = """
class Predictor:
    def predict(self, a: str = Input(default="a", choices={})) -> str: ...
"""


def write(root: Path, body: str, choices: str = "CHOICES") -> Path:
    source = f"from cog import Input\nCHOICES = ['a', 'b']\n{body}{PREDICTOR.format(choices)}"
    (root / "predict.py").write_text(source)
    return root


@pytest.mark.parametrize(
    ("body", "choices"),
    [
        ("del CHOICES[1]\n", "CHOICES"),
        ("CHOICES.append('c')\n", "CHOICES"),
        ("D = {'a': 1}\nD['b'] = id(D)\n", "list(D)"),
        ("class C:\n    names = ['a']\nC.names.append('x')\n", "C.names"),
        ("D = {'a': ['a']}\nD['a'].append('b')\n", "D['a']"),
        ("def f(x):\n    CHOICES.append(x)\nf('q')\n", "CHOICES"),
        ("def f(xs):\n    xs += ['z']\nf(CHOICES)\n", "CHOICES"),
        ("(x, y), z = ('a', 'b'), 'c'\n", "[x, y, z]"),
        ("import sys\nif sys.flags.dev_mode:\n    N = ['a']\nelse:\n    N = ['a']\n", "N"),
        ("I = Input(choices=CHOICES)\nCHOICES.append('later')\n", "['a']"),
    ],
)
def test_changes_are_followed(tmp_path: Path, body: str, choices: str) -> None:
    root = write(tmp_path, body, choices)
    static = read_signature(root, "predict.py:Predictor")
    assert static == live_signature(root, "predict.py:Predictor")


def test_choices_are_those_of_the_moment(tmp_path: Path) -> None:
    source = "from cog import Input\nCHOICES = ['a']\nA = Input(choices=CHOICES)\n"
    source += "B = Input(choices=(each for each in CHOICES))\nCHOICES.append('b')\n"
    source += (
        "class Predictor:\n    def run(self, a: str = A, b: str = B, c: str = B) -> str: ...\n"
    )
    (tmp_path / "predict.py").write_text(source)
    static = read_signature(tmp_path, "predict.py:Predictor")
    assert static == live_signature(tmp_path, "predict.py:Predictor")
    assert [each.choices for each in static.inputs] == [("a",)] * 3


@pytest.mark.parametrize(
    ("body", "choices"),
    [
        ("import os\nif os.environ.get('X'):\n    CHOICES.append('c')\n", "CHOICES"),
        ("import os\nif os.environ.get('X'):\n    CHOICES += ['c']\n", "CHOICES"),
        ("import os\nif os.environ.get('X'):\n    CHOICES[0] = 'c'\n", "CHOICES"),
        ("import x\nif x:\n    pass\nelse:\n    del CHOICES[0]\n", "CHOICES"),
        ("import random\nrandom.shuffle(CHOICES)\n", "CHOICES"),
        ("from random import shuffle\nshuffle(CHOICES)\n", "CHOICES"),
        ("import x\nCHOICES.extend(x.more())\n", "CHOICES"),
        ("import x\nCHOICES[0] = x.more()\n", "CHOICES"),
        ("import x\nfor each in x.more():\n    CHOICES.append(each)\n", "CHOICES"),
        ("import x\nwhile x.more():\n    CHOICES.append('c')\n", "CHOICES"),
        (
            "import x\ntry:\n    x.y()\n    CHOICES.append('c')\nexcept OSError:\n    pass\n",
            "CHOICES",
        ),
        ("import x\ndef f():\n    CHOICES.append(x.y())\nf()\n", "CHOICES"),
        ("import x\ndef f():\n    CHOICES.append(x.y())\ndef g():\n    f()\nN = g()\n", "CHOICES"),
        ("def f():\n    global CHOICES\n    CHOICES = ['z']\nf()\n", "CHOICES"),
        ("import x\ndef f(xs):\n    x.y(xs)\nf(CHOICES)\n", "CHOICES"),
        (
            "def r(name):\n    def deco(f):\n        CHOICES.append(name)\n        return f\n"
            "    return deco\n@r('c')\ndef g(): ...\n",
            "CHOICES",
        ),
        (
            "def r(f):\n    CHOICES.append(f.__name__)\n    return f\n@r\nclass A: ...\n",
            "CHOICES",
        ),
        (
            "class B:\n    names = ['a']\n    def __init_subclass__(cls):\n"
            "        cls.names.append(cls.__name__)\nclass C(B): ...\n",
            "B.names",
        ),
        ("import x\nclass C:\n    names = ['a']\nC.names = x.y()\n", "C.names"),
        ("class C:\n    names = ['a']\nsetattr(C, 'names', ['b'])\n", "C.names"),
        ("import x\nclass C:\n    names = ['a']\nif x.y:\n    C.names.append('b')\n", "C.names"),
        ("import x\nclass C:\n    if x.y:\n        CHOICES.append('b')\n", "CHOICES"),
        ("import x\nif x.y():\n    CHOICES = ['a']\nelse:\n    CHOICES = ['b']\n", "CHOICES"),
    ],
)
def test_what_may_have_changed_is_not_known(tmp_path: Path, body: str, choices: str) -> None:
    with pytest.raises(UnknownValueError):
        read_signature(write(tmp_path, body, choices), "predict.py:Predictor")
