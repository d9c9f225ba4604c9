"""``loaders.cache`` of gdk-pixbuf: the image formats that its modules load.

gdk-pixbuf-query-loaders loads each module and writes what it says about itself. Nothing is loaded
here: ``pixbuf_loaders.cache`` has what the modules of Debian and Ubuntu say, by their file names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

__all__ = ["pixbuf_loaders"]

_HEAD = """\
# GdkPixbuf Image Loader Modules file
# Automatically generated file, do not edit
#
"""


def pixbuf_loaders(directory: str, names: Iterable[str]) -> tuple[bytes, list[str]]:
    """Return the content of the file for the modules in a directory, and those not known to it.

    `directory` is absolute, such as ``/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders``;
    `names` are the files in it.
    """
    known = _known()
    modules = sorted(name for name in names if name.endswith(".so"))
    text = "".join(f'"{directory}/{name}"\n{known[name]}\n\n' for name in modules if name in known)
    return f"{_HEAD}{text}\n".encode(), [name for name in modules if name not in known]


@cache
def _known() -> Mapping[str, str]:
    """Return what each module says."""
    text = (resources.files(__package__) / "pixbuf_loaders.cache").read_text("utf-8")
    _, *blocks = text.rstrip("\n").split("\n\n")
    modules = (block.partition("\n") for block in blocks)
    return {name.strip('"'): said for name, _, said in modules}
