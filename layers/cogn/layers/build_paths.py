"""What a build of CPython says about the machine it was built on, made to say where it is.

python-build-standalone builds below ``/build`` with tools in ``/tools``, and installs to
``/install``. Its files for `sysconfig`, pkg-config and make name these, and compilers that only
that machine has, so that building a package with them fails. What each release writes differs, and
so do the forms (a Python dictionary, JSON, shell, make), but a path or a flag is always a word of
its own: so words are replaced, whatever is around them.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

__all__ = ["names_build_paths", "relocated"]

_FILES = (
    "bin/*",
    "lib/*Config.sh",
    "lib/pkgconfig/*.pc",
    "lib/python3.*/_sysconfig_vars_*.json",
    "lib/python3.*/_sysconfigdata_*.py",
    "lib/python3.*/build-details.json",
    "lib/python3.*/config-*/Makefile",
    "lib/python3.*/config-*/python-config.py",
)
"""The files that say it, below the directory that all are in."""

_SOURCES = "/usr/src"
"""What takes the place of directories that are nowhere but on the machine of the build."""

_END = r"(?![\w.+-])"
_FLAG = re.compile(
    rf" ?(?:(?:-I|-L|-isystem ?|-idirafter ?|-Wl,-rpath,)/(?:build|tools){_END}[^\s'\"]*"
    r"|-fdebug-default-version=\d+)"
)
"""Flags that find nothing elsewhere, and one that only clang knows."""

_PROGRAM = re.compile(
    r"(?<![^\s'\"=(])(?:/(?:[\w.+-]+/)+)?(?:[a-z0-9_]+-(?:[a-z]+-)?linux-gnu-|llvm-)?"
    rf"(clang\+\+|clang|g\+\+|gcc|ar|nm|objcopy|ranlib|readelf|strip)(?:-\d+)?{_END}(?!/)"
)
"""The tools of a compiler, which have plain names wherever they are installed."""

_PLAIN = {"clang": "cc", "gcc": "cc", "clang++": "c++", "g++": "c++"}
_BEFORE = r"(?:(?<=-[IL])|(?<![\w.$})/-]))"
_INSTALLED = re.compile(rf"{_BEFORE}/install{_END}")
_BUILT = re.compile(rf"{_BEFORE}/(?:build|tools){_END}")
_STARTER = re.compile(r"\A#!/bin/sh\n'''exec' [^\n]*/(python3\.\d+)\"[^\n]*\n' '''\n")
"""How a script finds the interpreter beside it with the help of a shell, which images may lack."""


def names_build_paths(path: str) -> bool:
    """Tell whether a file, by its path below the installation, may name the build's places."""
    return any(
        fnmatchcase(path, pattern) and path.count("/") == pattern.count("/") for pattern in _FILES
    )


def relocated(text: str, prefix: str) -> str:
    """Return a file's text as if CPython had been built to be at `prefix`, such as ``/opt/it``."""
    text = _STARTER.sub(rf"#!{prefix}/bin/\1\n", text)
    text = _FLAG.sub("", text)
    text = _PROGRAM.sub(lambda match: _PLAIN.get(match[1], match[1]), text)
    return _BUILT.sub(_SOURCES, _INSTALLED.sub(prefix, text))
