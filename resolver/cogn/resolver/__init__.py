"""From a project to its lock: cog.yaml, requirements, CUDA, the base and its Python."""

from cogn.resolver.errors import (
    ConfigError,
    CudaError,
    ProjectError,
    RequirementsError,
    ResolveError,
    UnsupportedError,
)
from cogn.resolver.project import Project
from cogn.resolver.resolution import resolve

__all__ = [
    "ConfigError",
    "CudaError",
    "Project",
    "ProjectError",
    "RequirementsError",
    "ResolveError",
    "UnsupportedError",
    "resolve",
]
