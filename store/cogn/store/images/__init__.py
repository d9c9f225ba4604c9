"""Images of registries that others are based on: finding them, and learning what they hold."""

from cogn.store.images.contents import NamedLayer, PlatformImage, list_images
from cogn.store.images.lost import still_there
from cogn.store.images.manifest import ImageLayer, RegistryImage, find_image, is_there
from cogn.store.images.reading import RootfsReader
from cogn.store.images.rootfs import Metadata, Rootfs
from cogn.store.images.source import ImageSource, LockedLayer

__all__ = [
    "ImageLayer",
    "ImageSource",
    "LockedLayer",
    "Metadata",
    "NamedLayer",
    "PlatformImage",
    "RegistryImage",
    "Rootfs",
    "RootfsReader",
    "find_image",
    "is_there",
    "list_images",
    "still_there",
]
