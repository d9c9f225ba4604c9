"""Finds, reads and parses the modules of a project. Nothing is imported."""

from __future__ import annotations

import ast
import sys
import warnings
from functools import cached_property
from pathlib import Path

from cogn.report import Where
from cogn.resolver.signature.errors import PredictorError
from cogn.resolver.signature.values import Frame

__all__ = ["Module", "Modules", "parse_expression"]

_LARGEST = 1 << 20
_OTHERS = {"cog", "cogn_runtime", "typing_extensions", "pydantic"}
"""Names that are never the project's, besides those of the standard library."""


class Module:
    """A module of the project; it is parsed when its tree is first asked for."""

    def __init__(self, name: str, path: Path, file: str) -> None:
        self.name = name
        self.path = path
        self.file = file
        """The path from the project's root, for people."""
        self.is_executed = False
        self.frame = Frame(self, names={"__name__": name})

    @property
    def package(self) -> str:
        """The package that relative imports start from; empty at the top."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source; raises PredictorError when it cannot be read or parsed."""
        return _parse(self.path, self.file)

    @cached_property
    def has_string_annotations(self) -> bool:
        """Whether annotations are evaluated late, by `from __future__ import annotations`."""
        return any(
            isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and any(alias.name == "annotations" for alias in node.names)
            for node in self.tree.body
        )

    def where(self, node: ast.AST) -> Where:
        """Return the place of a node of the tree."""
        return Where(self.file, line=getattr(node, "lineno", None))


class Modules:
    """The modules below the root of a project, by their dotted names."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._found: dict[str, Module | None] = {}
        self.consulted: set[str] = set()
        """The files that were read or looked for, from the root: what they are decides all."""

    def main(self, file: str) -> Module:
        """Return the module in `file`, which is called by the file's name as in the image.

        Raises PredictorError when there is no such file in the project.
        """
        path = self._root / file
        self.consulted.add(file)
        if not self._is_inside(path, file) or not path.is_file():
            raise PredictorError(
                f"there is no Python file `{file}`",
                hint="cog.yaml names the predictor as `predict.py:Predictor`",
            )
        module = Module(path.stem, path, file)
        self._found[path.stem] = module
        return module

    def find(self, name: str) -> Module | None:
        """Return the project's module of this dotted name; None when it is not the project's.

        Raises PredictorError when the name leads out of the project.
        """
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> Module | None:
        top = name.partition(".")[0]
        if not name or top in sys.stdlib_module_names or top in _OTHERS:
            return None
        base = "/".join(name.split("."))
        for file in (f"{base}/__init__.py", f"{base}.py"):
            path = self._root / file
            self.consulted.add(file)
            if _is_file(path) and self._is_inside(path, file):
                return Module(name, path, file)
        return None

    def _is_inside(self, path: Path, file: str) -> bool:
        try:
            inside = path.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError, ValueError):  # a loop of links, a null byte
            return False
        if not inside:
            raise PredictorError(
                f"`{file}` leads out of the project's directory",
                where=Where(file),
                hint="put the file itself into the project: links to the outside do not go "
                "into the image",
            )
        return True


def parse_expression(text: str, line: int) -> ast.expr:
    """Return the expression in an annotation that is text on this line; raises SyntaxError."""
    if len(text) > _LARGEST:
        raise SyntaxError("it is too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        return ast.increment_lineno(tree, line - 1).body
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, a null byte
        return False


def _parse(path: Path, file: str) -> ast.Module:
    try:
        with path.open("rb") as stream:
            source = stream.read(_LARGEST + 1)
    except OSError as error:
        msg = f"cannot read the module: {error.strerror}"
        raise PredictorError(msg, where=Where(file)) from error
    if len(source) > _LARGEST:
        raise PredictorError(
            f"the module is larger than {_LARGEST >> 20} MiB",
            where=Where(file),
            hint="put data into a file of its own, and what the predictor's parameters need into "
            "a small module",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those of invalid escapes
            return ast.parse(source)  # from bytes: it knows PEP 263 and byte order marks
    except SyntaxError as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise PredictorError(
            f"not valid Python: {error.msg}",
            where=Where(file, line=error.lineno),
            hint=f"this is what Python {version} says, which cogn runs on; a newer one may know "
            "more syntax",
        ) from None
    except ValueError as error:  # a null byte
        raise PredictorError(f"not valid Python: {error}", where=Where(file)) from None
    except (RecursionError, MemoryError):
        msg = "not readable: it is nested too deeply"
        raise PredictorError(msg, where=Where(file)) from None
