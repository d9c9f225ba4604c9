"""`--offline`: no connection is opened, by cogn or by the uv that it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["network"]

_UV_OFFLINE = "UV_OFFLINE"


@contextmanager
def network(*, offline: bool) -> Iterator[None]:
    """Keep every uv that is started in the block from the network, if `offline`."""
    before = os.environ.get(_UV_OFFLINE)
    if offline:
        os.environ[_UV_OFFLINE] = "1"
    try:
        yield
    finally:
        if offline:
            del os.environ[_UV_OFFLINE]
            if before is not None:
                os.environ[_UV_OFFLINE] = before
