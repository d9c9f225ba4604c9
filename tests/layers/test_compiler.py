"""Compiling: .pyc files as import wants them, the same bytes always, and hostile sources."""

from __future__ import annotations

import ast
import importlib.util
import marshal
import os
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType

import pytest

from cogn.layers import compile_worker
from cogn.layers.compile_worker import bytecode_file
from cogn.layers.compiler import LARGEST_SOURCE, running_compiler
from cogn.layers.entry import Bytes, Entry
from cogn.layers.errors import BytecodeError
from cogn.layers.interpreter import Interpreter, options

OWN = Interpreter(
    version=platform.python_version(),
    command=(sys.executable, "-S", "-P", "-B", "-W", "ignore"),
    environment={"PYTHONHASHSEED": "0"},
)
"""The interpreter of the tests, which will do where the version does not matter."""

MODULES = {
    f"x/{path.name}": path.read_bytes() for path in Path(ast.__file__).parent.glob("[a-e]*.py")
}
"""A part of the standard library."""


def compiled(sources: dict[str, bytes], interpreter: Interpreter = OWN) -> dict[str, bytes | None]:
    entries = [Entry.file(path, Bytes(source)) for path, source in sources.items()]
    with running_compiler(interpreter, 2) as compiler:
        return dict(zip(sources, compiler.compile(entries), strict=True))


def strings(value: object) -> Iterator[str]:
    """All strings that code refers to."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, CodeType):
        yield from (value.co_filename, value.co_name, value.co_qualname)
        for part in (value.co_names, value.co_varnames, value.co_freevars, value.co_consts):
            yield from strings(part)
    elif isinstance(value, (tuple, frozenset)):
        for each in value:
            yield from strings(each)


def test_a_file_is_what_import_takes_whatever_the_time_of_its_source() -> None:
    source = b'"""Text."""\nclass A:\n    def f(self):\n        return {"a", "b"}, "x y", 1000\n'
    result = compiled({"opt/cogn/site/m.py": source})["opt/cogn/site/m.py"]
    assert result is not None
    assert result[:4] == importlib.util.MAGIC_NUMBER
    assert struct.unpack("<I", result[4:8]) == (0b01,)
    assert result[8:16] == importlib.util.source_hash(source)
    code = marshal.loads(result[16:])
    assert code == compile(source, "?", "exec", dont_inherit=True)
    assert code.co_filename == "/opt/cogn/site/m.py"


def test_an_interpreter_without_the_option_for_a_safe_path_compiles_the_same() -> None:
    old = replace(OWN, command=(sys.executable, *options("3.10.12")))
    assert "-P" not in old.command
    source = {"x/m.py": b"import gzip\nclass A: x = 'a b', 1000\n"}
    assert compiled(source, old) == compiled(source)


def test_neither_order_nor_processes_nor_hash_seed_matter() -> None:
    backwards = dict(reversed(MODULES.items()))
    seeded = replace(OWN, environment={"PYTHONHASHSEED": "7"})
    expected = compiled(MODULES)
    assert len(expected) > 20
    assert compiled(backwards) == expected
    assert compiled(dict(list(MODULES.items())[:3]), seeded).items() <= expected.items()


def test_what_the_process_knows_already_does_not_matter() -> None:
    for path, source in MODULES.items():
        result = bytecode_file(source, path)
        assert result is not None
        # Copies of all its strings, as names that the whole process shares.
        known = [sys.intern("".join(list(text))) for text in strings(marshal.loads(result[16:]))]
        assert bytecode_file(source, path) == result, path
        del known


HOSTILE = {
    "syntax": b"def",
    "python 2": b"print 'x'",
    "null byte": b"x = 1\0",
    "encoding": b"# coding: no-such-thing\n",
    "not UTF-8": b"x = '\xff'",
    "parentheses": b"(" * 100_000,
    "nested lambdas": b"lambda:" * 100_000 + b"1",
    "nested calls": b"f" + b"()" * 100_000,
    "nested sums": b"x" + b"+x" * 100_000,
    "nested functions": b"".join(b" " * n + b"def f():\n" for n in range(200)),
    "a large file": b"#" * LARGEST_SOURCE + b"\n",
}


def test_a_source_that_does_not_compile_has_no_file_and_the_others_do() -> None:
    sources = {f"{name}.py": source for name, source in HOSTILE.items()}
    results = compiled(
        {"first.py": b"x = 1", **sources, "last.py": b"# coding: latin-1\nx = '\xff'"}
    )
    assert [path for path, result in results.items() if result] == ["first.py", "last.py"]


def test_how_deep_a_source_may_nest_does_not_depend_on_the_limits_of_the_shell() -> None:
    depths: dict[str, bytes] = {f"{n}.py": b"x" + b"()" * n for n in (500, 2000, 8000)}
    limited = replace(OWN, command=("sh", "-c", 'ulimit -s 512; exec "$@"', "sh", *OWN.command))
    assert compiled(depths, limited) == compiled(depths)


WORKER_THAT_DIES = (
    "import os, struct, sys\n"
    f"answer = b'cpython {OWN.version}'\n"
    "sys.stdout.buffer.write(struct.pack('<I', len(answer)) + answer)\n"
    "sys.stdout.buffer.flush()\n"
    "sys.stdin.buffer.read(8)\n"
)


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "signal 11"),
        ("sys.exit('Timeout (0:02:00)!')", "Timeout (0:02:00)!"),
        ("sys.exit(3)", "status 3"),
    ],
)
def test_a_compiler_that_dies_is_an_error_that_names_the_source(death: str, reason: str) -> None:
    dying = replace(OWN, command=(sys.executable, "-c", WORKER_THAT_DIES + death))
    with pytest.raises(BytecodeError) as caught:
        compiled({"opt/m.py": b"x = 1"}, dying)
    assert str(caught.value) == f"compiling `/opt/m.py` ended CPython {OWN.version}: {reason}"
    assert "`bytecode = false`" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (OWN.command, f"it is cpython {OWN.version}"),
        (("/no/such/python",), "No such file or directory"),
        ((sys.executable, "-c", "raise SystemExit('no libm.so.6')"), "no libm.so.6"),
    ],
)
def test_an_interpreter_that_is_not_the_wanted_one_is_refused(
    command: Sequence[str], reason: str
) -> None:
    other = Interpreter(version="3.9.1", command=tuple(command), environment={})
    with pytest.raises(BytecodeError) as caught:
        compiled({"m.py": b""}, other)
    assert str(caught.value) == f"CPython 3.9.1 cannot be used to compile bytecode: {reason}"


def test_a_source_that_takes_too_long_ends_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = tmp_path / "worker.py"
    text = Path(compile_worker.__file__).read_text()
    worker.write_text(text.replace("_SECONDS = 120", "_SECONDS = 0.1"))
    monkeypatch.setattr(compile_worker, "__file__", str(worker))
    slow = b"f(" + b",".join(b"a%d=1" % n for n in range(60_000)) + b")"
    with pytest.raises(BytecodeError, match=r"compiling `/slow.py` ended .*: Timeout"):
        compiled({"slow.py": slow})


def test_no_process_is_left_behind() -> None:
    before = children()
    with running_compiler(OWN, 1):
        assert children() > before
    assert children() == before


def children() -> set[str]:
    """The processes that this one has started, as Linux knows them."""
    status = [path.read_text().rpartition(") ")[2] for path in Path("/proc").glob("[0-9]*/stat")]
    return {line for line in status if line.split()[1] == str(os.getpid())}
