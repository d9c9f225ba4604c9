"""Container registries: names, credentials, and moving blobs (OCI distribution specification)."""

from cogn.store.registry.artifact import attach, attached
from cogn.store.registry.blob import Blob, blob_of_bytes, blob_of_file
from cogn.store.registry.configuration import RegistryConfiguration
from cogn.store.registry.reference import DOCKER_HUB, Reference
from cogn.store.registry.registries import Registries
from cogn.store.registry.repository import Manifest, Repository

__all__ = [
    "DOCKER_HUB",
    "Blob",
    "Manifest",
    "Reference",
    "Registries",
    "RegistryConfiguration",
    "Repository",
    "attach",
    "attached",
    "blob_of_bytes",
    "blob_of_file",
]
