"""The rules that hold the parts together, checked on the source itself."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("report", "lockfiles", "store", "resolver", "layers", "cli")
ALLOWED = {
    "report": set(),
    "lockfiles": {"report"},
    "store": {"report"},
    "resolver": {"report", "lockfiles", "store"},
    "layers": {"report", "lockfiles", "store"},
    "cli": {"report", "lockfiles", "store", "resolver", "layers"},
}


def modules() -> list[tuple[str, Path]]:
    """All modules with their dotted names, the runtime's included."""
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            found.append((".".join(path.relative_to(ROOT / part).with_suffix("").parts), path))
    for package in ("cog", "cogn_runtime"):
        for path in sorted((ROOT / "runtime" / package).rglob("*.py")):
            found.append((".".join(path.relative_to(ROOT / "runtime").with_suffix("").parts), path))
    return [(name.removesuffix(".__init__"), path) for name, path in found]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_the_parts_its_arrows_allow(part: str) -> None:
    strays = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / part).rglob("*.py")
        for name in imports(path)
        if name.startswith("cogn.") and name.split(".")[1] not in ALLOWED[part] | {part}
    ]
    assert strays == []


def test_the_namespace_has_no_init_file_that_would_hide_a_part() -> None:
    assert [part for part in PARTS if (ROOT / part / "cogn" / "__init__.py").exists()] == []


SERVER = {"anyio", "httptools", "httpx", "msgspec", "prometheus_client", "uvicorn", "uvloop"}
"""What the server alone may import."""


def test_model_code_gets_the_standard_library_and_cog_alone() -> None:
    own = [
        *(ROOT / "runtime/cog").rglob("*.py"),
        *(ROOT / "runtime/cogn_runtime/worker").rglob("*.py"),
    ]
    own += (ROOT / "runtime/cogn_runtime/schema").rglob("*.py")
    strays = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in own
        for name in imports(path)
        if name.partition(".")[0] in SERVER or name.startswith("cogn_runtime.front")
    ]
    assert strays == []


@pytest.mark.parametrize(("name", "path"), modules(), ids=[m for m, _ in modules()])
def test_a_module_says_what_it_is_and_what_it_gives(name: str, path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "a module begins with what it is for"
    if path.name == "__main__.py":
        return
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    }
    assert names is not None or not defined, "a module with public names has __all__"
    missing = [each for each in names or () if not hasattr(module, each)]
    assert missing == []
    assert defined - set(names or ()) == set()


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_file_names_a_host_of_a_package_registry_or_a_path_of_one_machine() -> None:
    # Spelt in pieces, so that this file keeps its own rule.
    forbidden = re.compile(
        "|".join(
            [
                "pypi" + r"\.org",
                "pythonhosted" + r"\.org",
                "(deb|security)" + r"\.debian\.org",
                "archive" + r"\.ubuntu\.com",
                "registry" + r"\.npmjs",
                "/work" + "/main",
                "/root" + "/",
            ]
        ).encode()
    )
    strays = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked()
        if (match := forbidden.search(path.read_bytes()))
    ]
    assert strays == []
