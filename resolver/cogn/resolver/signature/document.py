"""The OpenAPI document of a project, from its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cogn.report import CognError, ProblemsError, Where
from cogn.resolver.signature.errors import PredictorError
from cogn.resolver.signature.predictor import Method, read_signature
from cogn_runtime.schema import Signature, SignatureError, render

__all__ = ["read_document"]


def read_document(
    root: Path, predictor: str, *, train: str | None = None, version: str
) -> dict[str, Any]:
    """Return the document of the project in `root`, which `version` of the runtime will serve.

    `predictor` and `train` say where to look, as cog.yaml does. Raises what `read_signature`
    raises, for both of them at once.
    """
    signatures: dict[Method, Signature] = {}
    problems: list[CognError] = []
    wanted: dict[Method, str | None] = {"predict": predictor, "train": train}
    for method, reference in wanted.items():
        if reference is None:
            continue
        try:
            signatures[method] = read_signature(root, reference, method)
        except CognError as error:
            problems += error.problems
    ProblemsError.raise_if_any(problems)
    try:
        return render(signatures["predict"], train=signatures.get("train"), version=version)
    except SignatureError as error:  # of both together: each alone was rendered before
        message = f"{error.where}: {error.problem}"
        file = (train or predictor).partition(":")[0]
        raise PredictorError(message, where=Where(file), hint=error.hint) from None
