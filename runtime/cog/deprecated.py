"""Names of earlier versions of Cog that models still import."""

from __future__ import annotations

from cog.scope import current_scope

__all__ = ["ExperimentalFeatureWarning", "emit_metric"]


class ExperimentalFeatureWarning(FutureWarning):
    """Was given for features that might change; models import it to silence it. It never is."""


def emit_metric(name: str, value: float) -> None:
    """Record a metric of the prediction: `current_scope().record_metric(name, value)` as it was."""
    current_scope().record_metric(name, value)
