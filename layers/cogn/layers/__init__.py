"""From a lock to layers, from layers to an image, and the image to where it is wanted."""

from cogn.layers.assemble import Assembled, Model, assemble
from cogn.layers.base import BaseImages, base_layers
from cogn.layers.build import Builder
from cogn.layers.destination import Destination, LocalDestination
from cogn.layers.errors import (
    DebError,
    LayerError,
    SealError,
    SourceError,
    StaleLockError,
    WheelError,
)
from cogn.layers.fetching import fetch_locked
from cogn.layers.home import SharedHome
from cogn.layers.image import Image
from cogn.layers.inputs import LockedInputs
from cogn.layers.layer import Compression, Layer
from cogn.layers.layout import OciArchive, OciLayout
from cogn.layers.named import locked_files, vendor_paths
from cogn.layers.notes import LayerNotes
from cogn.layers.offline import require_inputs
from cogn.layers.publish import Publication, publish
from cogn.layers.registry import RegistryDestination

__all__ = [
    "Assembled",
    "BaseImages",
    "Builder",
    "Compression",
    "DebError",
    "Destination",
    "Image",
    "Layer",
    "LayerError",
    "LayerNotes",
    "LocalDestination",
    "LockedInputs",
    "Model",
    "OciArchive",
    "OciLayout",
    "Publication",
    "RegistryDestination",
    "SealError",
    "SharedHome",
    "SourceError",
    "StaleLockError",
    "WheelError",
    "assemble",
    "base_layers",
    "fetch_locked",
    "locked_files",
    "publish",
    "require_inputs",
    "vendor_paths",
]
