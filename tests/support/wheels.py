"""Small wheels, made as a test needs them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

DATE = (2024, 5, 6, 7, 8, 10)


def make_wheel(
    directory: Path,
    files: Mapping[str, bytes | str],
    *,
    name: str = "sample",
    version: str = "1.0",
    executable: frozenset[str] = frozenset(),
    compression: int = zipfile.ZIP_DEFLATED,
    tag: str = "py3-none-any",
    requires: tuple[str, ...] = (),
) -> Path:
    """Write a wheel with `files` and the metadata that it needs; return its path."""
    info = f"{name}-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]
    content = {
        **{path: data.encode() if isinstance(data, str) else data for path, data in files.items()},
        f"{info}/METADATA": "\n".join([*metadata, ""]).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in content).encode()
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in content.items():
            entry = zipfile.ZipInfo(member, DATE)
            entry.compress_type = compression
            entry.external_attr = (0o100755 if member in executable else 0o100644) << 16
            archive.writestr(entry, data)
    return path
