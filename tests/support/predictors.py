"""Signatures of predictors as the worker makes them, from the loaded code."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cog
from cogn_runtime.schema import Signature
from cogn_runtime.schema.live import signature_of

__all__ = ["live_signature"]


def live_signature(root: Path, reference: str, method: str = "predict") -> Signature:
    """Return the signature of the predictor at `reference`, whose code is imported from `root`.

    Raises SignatureError, and whatever the code raises.
    """
    file, _, name = reference.partition(":")
    with _imports(root):
        target = getattr(_load(root / file), name)
        if not isinstance(target, type):
            return signature_of(target, name)
        names = ("train",) if method == "train" else ("run", "predict")
        of_base = (cog.BaseRunner.run, cog.BaseRunner.predict)
        attribute = next(each for each in names if getattr(target, each, of_base[0]) not in of_base)
        bound = getattr(object.__new__(target), attribute)
        return signature_of(bound, f"{name}.{attribute}")


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _imports(root: Path) -> Iterator[None]:
    """Let the modules in `root` be imported, and forget them afterwards."""
    before = dict(sys.modules)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        sys.dont_write_bytecode = writes
        for name in set(sys.modules) - set(before):
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(root)):
                del sys.modules[name]
        sys.modules.update({name: before[name] for name in before.keys() - sys.modules.keys()})
