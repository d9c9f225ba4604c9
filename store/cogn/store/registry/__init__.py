"""Container registries: names, credentials, and moving blobs (OCI distribution specification)."""

from cogn.store.registry.reference import DOCKER_HUB, Reference
from cogn.store.registry.repository import Repository

__all__ = ["DOCKER_HUB", "Reference", "Repository"]
