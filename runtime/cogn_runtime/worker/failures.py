"""What is said of the model's exceptions, and handing over what was printed before."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import traceback

__all__ = ["describe", "flush", "print_traceback", "traceback_text"]

_LONGEST = 64 * 1024
_NOT_THE_MODEL = (str(pathlib.Path(__file__).parent.parent), "<frozen importlib")


def describe(error: BaseException) -> str:
    """Return type and message of an exception, as text that can be sent."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the model's exceptions may be broken too
        return name
    shown = f"{name}: {text}" if text else name
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}..."
    return shown.encode(errors="backslashreplace").decode()


def traceback_text(error: BaseException) -> str:
    """Return what Python would print of `error`, from the model's own code on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_THE_MODEL):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def print_traceback(error: BaseException) -> None:
    """Print `error` as Python would, after all that was printed before."""
    text = traceback_text(error)
    flush()
    with contextlib.suppress(OSError):  # written past sys.stderr, which may be closed or replaced
        os.write(2, text.encode(errors="backslashreplace"))


def flush() -> None:
    """Hand over what was printed; the model may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
