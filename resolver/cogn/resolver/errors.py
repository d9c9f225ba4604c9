"""Errors about a project's files and what they ask for.

::

    ResolveError (CognError)
    ├── ProjectError            there is no project here, or a file of it cannot be read
    ├── ConfigError             a mistake in cog.yaml or cogn.toml
    │   └── UnsupportedError    something that Cog does and cogn does not
    ├── RequirementsError       a mistake in the Python requirements
    ├── CudaError               the image cannot use a GPU as it was asked to
    └── signature.PredictorError    the predictor cannot be served as it is written
        └── signature.UnknownValueError    something in it cannot be known without running it
"""

from __future__ import annotations

from cogn.report import CognError

__all__ = [
    "ConfigError",
    "CudaError",
    "ProjectError",
    "RequirementsError",
    "ResolveError",
    "UnsupportedError",
]


class ResolveError(CognError):
    """Raised when a project cannot be made into a lock; the base of the classes below."""


class ProjectError(ResolveError):
    """Raised when there is no project, or one of its files cannot be read."""


class ConfigError(ResolveError):
    """Raised when cog.yaml or cogn.toml breaks a rule."""


class UnsupportedError(ConfigError):
    """Raised when cog.yaml asks for something that Cog does and cogn does not."""


class RequirementsError(ResolveError):
    """Raised when the Python requirements break a rule, or need what cogn does not do."""


class CudaError(ResolveError):
    """Raised when the packages cannot use a GPU as cog.yaml asks."""
