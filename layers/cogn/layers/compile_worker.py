"""Compiles Python sources to bytecode files; run by the interpreter that the bytecode is for.

It reads requests from standard input and writes one answer to each to standard output. Numbers have
32 bits, little-endian::

    request   length of the path, length of the source, the path in UTF-8, the source
    answer    length, the content of the .pyc file; 0 for a source that does not compile

The first answer, to no request, is the interpreter's name and version: ``cpython 3.13.5``.

Only the standard library is used, and nothing of cogn: this file is started by itself.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import marshal
import struct
import sys
import threading
from types import CodeType
from typing import Any, BinaryIO

__all__ = ["bytecode_file"]

_SECONDS = 120
_STACK = 64 << 20  # fixed, so that what nests too deeply is the same with every `ulimit`
_UNCHECKED_HASH = 0b01  # PEP 552
_REQUEST = struct.Struct("<II")
_ANSWER = struct.Struct("<I")


def bytecode_file(source: bytes, path: str) -> bytes | None:
    """Return the content of the .pyc file (PEP 552) for a source, None when it does not compile.

    The file is valid whatever the time and size of the source (unchecked hash). Its bytes follow
    from the source, the path and the interpreter's version alone.
    """
    try:
        code = compile(source, path, "exec", dont_inherit=True)
        marshalled = _Canonical().marshalled(code)
    except Exception:  # noqa: BLE001 - a hostile source can make the compiler raise anything
        return None
    header = importlib.util.MAGIC_NUMBER + _ANSWER.pack(_UNCHECKED_HASH)
    return header + importlib.util.source_hash(source) + marshalled


class _Canonical:
    """Code on its way to bytes that do not depend on what the process did before.

    `marshal` writes a flag on each object that somebody else refers to, and a reference in place of
    an object that it wrote before. With strings both are a matter of chance: equal ones may be one
    object or two, and names are shared with all that was ever imported. So equal strings of a file
    are made one object, of its own unless it is a name, and all objects are referred to from here.
    """

    def __init__(self) -> None:
        self._strings: dict[str, str] = {}
        self._collections: dict[int, tuple[Any, ...] | frozenset[Any]] = {}
        self._kept: list[object] = []

    def marshalled(self, code: CodeType) -> bytes:
        code = self._code(code)
        self._keep(code)
        return marshal.dumps(code)

    def _code(self, code: CodeType) -> CodeType:
        return code.replace(co_consts=tuple([self._constant(each) for each in code.co_consts]))

    def _constant(self, value: Any) -> Any:  # noqa: ANN401 - any constant
        kind = type(value)
        if kind is str:
            # Short strings are common objects in any case. A sum is a new object, for which the
            # code object will take the common one when it is a name.
            own = sys.intern(value) if len(value) < 2 else value[:1] + value[1:]
            return self._strings.setdefault(value, own)
        if kind is CodeType:
            return self._code(value)
        if kind is tuple or kind is frozenset:
            # By identity: the source alone decides which ones the compiler shares.
            if id(value) not in self._collections:
                self._collections[id(value)] = kind([self._constant(each) for each in value])
            return self._collections[id(value)]
        return value

    def _keep(self, value: object) -> None:
        self._kept.append(value)
        if isinstance(value, CodeType):
            self._kept += (value.co_filename, value.co_name)
            if sys.version_info >= (3, 11):  # noqa: UP036 - the image's Python may be 3.10
                self._kept.append(value.co_qualname)
            self._kept += value.co_names
            self._kept += value.co_varnames
            self._kept += value.co_cellvars
            self._kept += value.co_freevars
            self._keep(value.co_consts)
        elif isinstance(value, (tuple, frozenset)):
            for each in value:
                self._keep(each)


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    _answer(answers, f"{sys.implementation.name} {version}".encode())
    while lengths := requests.read(_REQUEST.size):
        path_length, source_length = _REQUEST.unpack(lengths)
        path = requests.read(path_length).decode()
        source = requests.read(source_length)
        faulthandler.dump_traceback_later(_SECONDS, exit=True)
        result = bytecode_file(source, path)
        faulthandler.cancel_dump_traceback_later()
        _answer(answers, result or b"")


def _answer(answers: BinaryIO, data: bytes) -> None:
    answers.write(_ANSWER.pack(len(data)) + data)
    answers.flush()


if __name__ == "__main__":
    threading.stack_size(_STACK)
    threading.Thread(target=_serve, args=(sys.stdin.buffer, sys.stdout.buffer)).start()
