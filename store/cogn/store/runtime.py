"""The wheel of `cogn-runtime` that this cogn puts into images.

A release carries the wheel as a file of this package; a checkout builds it, and its build gives
the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import io
import runpy
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from functools import cache
from pathlib import Path

from cogn.store.errors import StoreError

__all__ = ["RuntimeWheel", "runtime_wheel"]

_CHECKOUT = Path(__file__).parents[3] / "runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeWheel:
    """The runtime's wheel, whole; `requires` are its requirements (PEP 508)."""

    name: str
    version: str
    file: str
    data: bytes
    sha256: str
    requires: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return len(self.data)


@cache
def runtime_wheel() -> RuntimeWheel:
    """Return the runtime's wheel; raises `StoreError` when this installation has none."""
    shipped = sorted(Path(__file__).parent.glob("cogn_runtime-*.whl"))
    if shipped:
        file, data = shipped[-1].name, shipped[-1].read_bytes()
    else:
        file, data = _built()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(path).decode())
    return RuntimeWheel(
        name=metadata["Name"],
        version=metadata["Version"],
        file=file,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        requires=tuple(metadata.get_all("Requires-Dist", [])),
    )


def _built() -> tuple[str, bytes]:
    backend = _CHECKOUT / "backend.py"
    if not backend.is_file():
        raise StoreError(
            "this installation of cogn has no runtime to put into images",
            hint="install `cogn-build` again, from a wheel or a whole checkout",
        )
    name, data = runpy.run_path(str(backend))["wheel"]()
    return str(name), bytes(data)
