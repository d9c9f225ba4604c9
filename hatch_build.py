"""Puts the runtime's wheel into a release of `cogn-build`, and what both of them need.

A checkout has the runtime installed beside it and needs neither.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuntimeHook(BuildHookInterface[Any]):
    """Builds the runtime's wheel and adds it to the wheel being built, and its schema package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add both, except to an editable install, which builds the wheel when asked."""
        if version == "editable":
            return
        backend = runpy.run_path(str(Path(self.root, "runtime", "backend.py")))
        directory = tempfile.mkdtemp(prefix="cogn-")
        name = backend["build_wheel"](directory)
        included = build_data["force_include"]
        included[str(Path(directory, name))] = f"cogn/store/{name}"
        # A model's signature: made from its source here, from the loaded code in an image.
        for path in ("cogn_runtime/__init__.py", "cogn_runtime/schema"):
            included[str(Path(self.root, "runtime", path))] = path
