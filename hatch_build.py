"""Puts the runtime's wheel into a release of `cogn-build`, beside the code that looks for it."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuntimeHook(BuildHookInterface[Any]):
    """Builds the runtime's wheel and adds it to the wheel being built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the runtime's wheel, except to an editable install, which builds it when asked."""
        if version == "editable":
            return
        backend = runpy.run_path(str(Path(self.root, "runtime", "backend.py")))
        directory = tempfile.mkdtemp(prefix="cogn-")
        name = backend["build_wheel"](directory)
        build_data["force_include"][str(Path(directory, name))] = f"cogn/store/{name}"
