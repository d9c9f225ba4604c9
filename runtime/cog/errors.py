"""Cog's own errors, for code that catches them; this server raises none of them."""

from __future__ import annotations

__all__ = ["CogError", "ConfigDoesNotExist", "PredictorNotSet"]


class CogError(Exception):
    """Base of Cog's errors."""


class ConfigDoesNotExist(CogError):  # noqa: N818 - Cog's name
    """There is no cog.yaml."""


class PredictorNotSet(CogError):  # noqa: N818 - Cog's name
    """The cog.yaml names no predictor."""
