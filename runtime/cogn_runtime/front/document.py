"""The OpenAPI document that is served: the image's own at first, then that of the loaded model."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import cogn_runtime
from cogn_runtime.front.process import Mode
from cogn_runtime.schema import Signature, render

__all__ = ["BAKED", "Document", "differences"]

BAKED = Path(".cog/openapi_schema.json")
"""Where an image has the document that was made from the model's source, as Cog's images do."""

_LARGEST = 16 << 20
_MOST_SHOWN = 10
_LONGEST = 80

_log = logging.getLogger("cogn.front")


class Document:
    """What ``/openapi.json`` answers: `content`, or None as long as nobody knows it."""

    def __init__(self, baked: dict[str, Any] | None = None) -> None:
        self.content = baked
        self._baked = baked

    @classmethod
    def read(cls, directory: Path) -> Document:
        """Return the document that is baked into the image below `directory`, if there is one.

        One that cannot be read is logged and as good as none: the model's own comes soon.
        """
        path = directory / BAKED
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
            if len(data) > _LARGEST:
                raise ValueError("it is too large")
            return cls(msgspec.json.decode(data, type=dict[str, Any]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, RecursionError) as error:
            _log.warning("%s cannot be read: %s", path, error)
            return cls()

    def set_live(self, signature: Signature, mode: Mode) -> None:
        """Serve the document of the loaded model, and log where it is not what was baked.

        A worker predicts or trains: what was baked about the other stays.
        """
        predict, train = (signature, None) if mode == "predict" else (None, signature)
        content = render(predict, train=train, version=cogn_runtime.__version__)
        content = msgspec.json.decode(msgspec.json.encode(content), type=dict[str, Any])
        if self._baked is not None and mode in _others(self._baked):
            content = _with_other(content, self._baked)
        if content == self.content:
            return
        if self._baked is not None:
            found = list(itertools.islice(differences(self._baked, content), _MOST_SHOWN + 1))
            for place in found[:_MOST_SHOWN]:
                _log.warning("the image's OpenAPI document is not that of the model: %s", place)
            if len(found) > _MOST_SHOWN:
                _log.warning("the image's OpenAPI document differs in more places")
        self.content = content


def _others(baked: dict[str, Any]) -> set[Mode]:
    """Return the modes in which there is another in this document."""
    paths = baked.get("paths")
    paths = paths if isinstance(paths, dict) else {}
    others: set[Mode] = set()
    if "/trainings" in paths:
        others.add("predict")
    if "/predictions" in paths:
        others.add("train")
    return others


def _with_other(live: dict[str, Any], baked: dict[str, Any]) -> dict[str, Any]:
    """Return the live document with the paths and schemas that the baked one has beside."""
    merged = {**live, "paths": {**baked["paths"], **live["paths"]}}
    try:
        schemas = {**baked["components"]["schemas"], **live["components"]["schemas"]}
    except (KeyError, TypeError):
        return live
    return {**merged, "components": {"schemas": schemas}}


def differences(baked: object, live: object, place: str = "") -> Iterator[str]:
    """Yield each place in which two JSON values differ, with what is there in either."""
    if isinstance(baked, dict) and isinstance(live, dict):
        for key in sorted(baked.keys() | live.keys()):
            inner = f"{place}.{key}" if place else key
            if key not in live:
                yield f"`{inner}` is only in the image's"
            elif key not in baked:
                yield f"`{inner}` is only in the model's"
            else:
                yield from differences(baked[key], live[key], inner)
    elif isinstance(baked, list) and isinstance(live, list) and len(baked) == len(live):
        for index, (one, other) in enumerate(zip(baked, live, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif baked != live or type(baked) is not type(live):
        yield f"`{place}` is {_shown(baked)} in the image's, {_shown(live)} in the model's"


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
