"""The OpenAPI document of a project, from its source."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cogn.report import CognError, ProblemsError, Where
from cogn.resolver.remembered import Remembered
from cogn.store import Cache

# Late, in the functions: importing what reads sources takes longer than finding that they are the
# same as before.
if TYPE_CHECKING:
    from cogn.resolver.signature import Method
    from cogn_runtime.schema import Signature

__all__ = ["document_of", "given_document", "read_document"]

_NOTES = "documents-1"  # another number when another document is made of the same files
_LARGEST = 4 << 20


def document_of(
    root: Path, predictor: str, *, train: str | None = None, version: str, cache: Cache
) -> str:
    """Return the document of the project in `root` as canonical JSON.

    It is remembered in the cache for as long as the files that decide it are the same. Raises what
    `read_document` raises.
    """
    remembered = Remembered(cache, _NOTES, str)
    what = (predictor, train or "", version)
    if known := remembered.find(root, *what):
        return known
    begin = time.time()
    consulted: set[str] = set()
    document = read_document(root, predictor, train=train, version=version, consulted=consulted)
    text = _canonical(document)
    remembered.keep(text, begin, sorted(consulted), root, *what)
    return text


def given_document(path: Path) -> str:
    """Return the document in a file, which somebody wrote or made, as canonical JSON.

    Raises `PredictorError` for a file that is none of a model.
    """
    from cogn.resolver.signature import PredictorError

    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError("it is too large")
        document = msgspec.json.decode(data, type=dict[str, Any])
        schemas = document["components"]["schemas"]
        if not (isinstance(document["openapi"], str) and {"Input", "Output"} <= schemas.keys()):
            raise ValueError("it is no document of a model")
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise PredictorError(message) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = "it has none of the keys that count" if isinstance(error, KeyError) else str(error)
        raise PredictorError(
            f"`{path}` is not the OpenAPI document of a model: {reason}",
            hint="it has to be JSON with `openapi` and, in `components.schemas`, `Input` and "
            "`Output`, such as `cogn schema` prints",
        ) from error
    return _canonical(document)


def read_document(
    root: Path,
    predictor: str,
    *,
    train: str | None = None,
    version: str,
    consulted: set[str] | None = None,
) -> dict[str, Any]:
    """Return the document of the project in `root`, which `version` of the runtime will serve.

    `predictor` and `train` say where to look, as cog.yaml does. The names of the files that counted
    are added to `consulted`. Raises what `read_signature` raises, for both of them at once.
    """
    from cogn.resolver.signature import Modules, PredictorError, read_signature
    from cogn_runtime.schema import SignatureError, render

    signatures: dict[Method, Signature] = {}
    problems: list[CognError] = []
    wanted: dict[Method, str | None] = {"predict": predictor, "train": train}
    for method, reference in wanted.items():
        if reference is None:
            continue
        modules = Modules(root)
        try:
            signatures[method] = read_signature(root, reference, method, modules=modules)
        except CognError as error:
            problems += error.problems
        if consulted is not None:
            consulted |= modules.consulted
    ProblemsError.raise_if_any(problems)
    try:
        return render(signatures["predict"], train=signatures.get("train"), version=version)
    except SignatureError as error:  # of both together: each alone was rendered before
        message = f"{error.where}: {error.problem}"
        file = (train or predictor).partition(":")[0]
        raise PredictorError(message, where=Where(file), hint=error.hint) from None


def _canonical(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document, order="sorted").decode()
