"""From a project to its lock: cog.yaml, requirements, CUDA, the base and its Python.

`Project` and `resolve` are imported when they are asked for: assembling needs a project's `Brief`
alone, most often one that is remembered.
"""

from typing import TYPE_CHECKING, Any

from cogn.resolver.brief import Brief, read_brief
from cogn.resolver.errors import (
    ConfigError,
    CudaError,
    ProjectError,
    RequirementsError,
    ResolveError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from cogn.resolver.project import Project
    from cogn.resolver.resolution import resolve

__all__ = [
    "Brief",
    "ConfigError",
    "CudaError",
    "Project",
    "ProjectError",
    "RequirementsError",
    "ResolveError",
    "UnsupportedError",
    "read_brief",
    "resolve",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    """Import what is asked for (PEP 562)."""
    if name == "Project":
        from cogn.resolver.project import Project

        return Project
    if name == "resolve":
        from cogn.resolver.resolution import resolve

        return resolve
    raise AttributeError(name)
