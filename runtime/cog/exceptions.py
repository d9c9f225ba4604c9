"""What a model may meet or raise."""

from __future__ import annotations

__all__ = ["CancelationException"]


class CancelationException(BaseException):
    """Raised in the middle of a `run()` whose prediction was canceled.

    A model may catch it to clean up, and should raise it again. It is no `Exception`, so that
    nothing catches it by accident.
    """
