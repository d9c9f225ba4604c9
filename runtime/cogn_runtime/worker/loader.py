"""Finds the model: `predict.py:Predictor` -> an object with `setup()` and the function to run."""

from __future__ import annotations

import importlib.util
import inspect
import os
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cog
from cogn_runtime.schema import Signature
from cogn_runtime.schema.live import signature_of
from cogn_runtime.worker.weights import weights_for

__all__ = ["LoadError", "Model", "load"]


class LoadError(Exception):
    """Raised when there is no model at the reference, or none that can be run."""


@dataclass(frozen=True)
class Model:
    """A loaded model: `run` makes a prediction, `setup` comes first, once.

    All its functions may return what is to be awaited. `slots` is how many predictions it makes at
    once. `healthcheck` tells whether it is well, `teardown` comes last, if it has them.
    """

    signature: Signature
    run: Callable[..., Any]
    setup: Callable[[], object]
    slots: int
    healthcheck: Callable[[], Any] | None = None
    teardown: Callable[[], Any] | None = None


def load(reference: str, mode: str = "predict") -> Model:
    """Return the model at `reference`, `file.py:Class` or `file.py:function`.

    In the mode `train` it is what trains: of a class, its `train()`.

    The file is relative to the current directory, which has to be on `sys.path`.
    Raises LoadError, SignatureError, and whatever the module itself raises when it is imported.
    """
    file, _, name = reference.partition(":")
    if not file or not name:
        raise LoadError(f"{reference!r} does not name a model; write it as predict.py:Predictor")
    target = getattr(_import_file(pathlib.Path(file)), name, None)
    if target is None:
        raise LoadError(f"{file} defines nothing called {name}")
    if inspect.isclass(target):
        model = target()
        attribute = _run_attribute(target, ("train",) if mode == "train" else ("run", "predict"))
        run, title = getattr(model, attribute), f"{name}.{attribute}"
        setup = _setup_of(model)
        healthcheck, teardown = (getattr(model, each, None) for each in ("healthcheck", "teardown"))
    elif callable(target):
        run, title = target, name
        setup, healthcheck, teardown = _nothing, None, None
    else:
        raise LoadError(f"{name} in {file} is neither a class nor a function")
    signature = signature_of(run, title)
    slots = 1 if mode == "train" else _slots(signature)
    return Model(signature, run, setup, slots, healthcheck, teardown)


def _slots(signature: Signature) -> int:
    """Return how many predictions a model makes at once; the environment goes first, as in Cog."""
    text = os.environ.get("COG_MAX_CONCURRENCY") or str(signature.concurrency)
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise LoadError(f"COG_MAX_CONCURRENCY is no number from 1 on: {text!r}")
    if int(text) > 1 and not signature.is_async:
        raise LoadError(
            f"COG_MAX_CONCURRENCY is {text}, and {signature.name}() is not asynchronous: "
            "make it `async def`, or make one prediction at a time"
        )
    return int(text)


def _import_file(file: pathlib.Path) -> object:
    """Import `file` as a module of its name, so that pickles of its classes find it again."""
    name = file.stem
    spec = importlib.util.spec_from_file_location(name, file.absolute())
    if spec is None or spec.loader is None or not file.is_file():
        raise LoadError(f"there is no Python file {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _run_attribute(cls: type, attributes: tuple[str, ...]) -> str:
    for attribute in attributes:
        own = getattr(cls, attribute, None)
        if callable(own) and own is not getattr(cog.BaseRunner, attribute, None):
            return attribute
    wanted = " or ".join(f"{each}()" for each in attributes)
    raise LoadError(f"{cls.__name__} must define {wanted}")


def _setup_of(model: object) -> Callable[[], object]:
    """Return the model's `setup()`, with the weights for one that takes them."""
    setup: Callable[..., object] = getattr(model, "setup", _nothing)
    if "weights" not in inspect.signature(setup).parameters:
        return setup
    return lambda: setup(weights=weights_for(setup))


def _nothing() -> None:
    pass
