"""Builds the wheel of `cogn-runtime` (PEP 517 and 660), bit for bit the same anywhere.

A lock pins this wheel by its hash, and in a checkout every machine builds its own, so nothing of
the machine may show: entries are sorted, dated 1980-01-02, stored without compression (zlib's
output differs between builds), with fixed modes. Standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["build_editable", "build_wheel", "wheel"]

_HERE = Path(__file__).resolve().parent
_PACKAGES = ("cog", "cogn_runtime")
_SUFFIXES = {".py", ".typed"}
_DATE = (1980, 1, 2, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: cogn-runtime\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Write the wheel into `wheel_directory`; return its file name (PEP 517)."""
    name, data = wheel()
    Path(wheel_directory, name).write_bytes(data)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Write a wheel that only points here; return its file name (PEP 660)."""
    name, data = _wheel({"cogn_runtime.pth": f"{_HERE}\n".encode()})
    Path(wheel_directory, name).write_bytes(data)
    return name


def wheel() -> tuple[str, bytes]:
    """Return the wheel's file name and content."""
    files = {}
    for package in _PACKAGES:
        for path in (_HERE / package).rglob("*"):
            if path.suffix in _SUFFIXES:
                # A checkout with Windows line ends is the same source.
                files[path.relative_to(_HERE).as_posix()] = path.read_bytes().replace(
                    b"\r\n", b"\n"
                )
    return _wheel(files)


def _wheel(files: dict[str, bytes]) -> tuple[str, bytes]:
    project = tomllib.loads((_HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    info = f"{stem}.dist-info"
    files |= {f"{info}/METADATA": _metadata(project), f"{info}/WHEEL": _WHEEL.encode()}
    record = [f"{path},{_hash(data)},{len(data)}" for path, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(files.items()):
            member = zipfile.ZipInfo(path, _DATE)
            member.create_system = 3  # Unix, so that the mode counts
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def _metadata(project: dict[str, Any]) -> bytes:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    return "\n".join([*lines, ""]).encode()


def _hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"sha256={digest}"
