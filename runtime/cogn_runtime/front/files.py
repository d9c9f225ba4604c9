"""Files in requests, to local copies; and what is known of the types of files."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import pathlib
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from cogn_runtime.front.outgoing import Outgoing
from cogn_runtime.schema import ListOf, Nullable, Scalar, Signature, Type

__all__ = ["FileError", "file_urls", "local_files", "mime_type"]

_FILE_TYPES = (Scalar("path"), Scalar("file"))
_TIMEOUT = 10.0  # seconds without a byte, as with Cog
_LONGEST_NAME = 100

# The table of Python alone, because those of machines differ, with what older Pythons lack.
_MIME_TYPES = mimetypes.MimeTypes()
for _type, _suffix in (
    ("image/avif", ".avif"),
    ("image/webp", ".webp"),
    ("model/gltf-binary", ".glb"),
):
    _MIME_TYPES.add_type(_type, _suffix)


class FileError(Exception):
    """Raised when a file cannot be taken from a request or put into an answer."""


@asynccontextmanager
async def local_files(
    signature: Signature, inputs: dict[str, Any], outgoing: Outgoing
) -> AsyncIterator[dict[str, Any]]:
    """Give `inputs` with local paths in the place of `data:` and `http(s):` URLs of files.

    The copies are removed at the end. Raises FileError when one cannot be made.
    """
    remote = [field for field in signature.inputs if any(_urls(field.type, inputs[field.name]))]
    if not remote:
        yield inputs
        return
    directory = pathlib.Path(tempfile.mkdtemp(prefix="cogn-input-"))

    def localize() -> dict[str, Any]:
        return {
            field.name: _localized(field.name, inputs[field.name], directory / field.name, outgoing)
            for field in remote
        }

    try:
        # All in one go: the model waits, and after each the others that ask come first.
        yield inputs | await anyio.to_thread.run_sync(localize, abandon_on_cancel=True)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_remove, directory)


def file_urls(signature: Signature, inputs: Mapping[str, Any]) -> list[str]:
    """Return the URLs of files among these inputs, `data:` URLs too."""
    return [url for field in signature.inputs for url in _urls(field.type, inputs[field.name])]


def mime_type(name: str) -> str:
    """Return the type of a file by its name's extension."""
    return _MIME_TYPES.guess_type(name, strict=False)[0] or "application/octet-stream"


def _remove(directory: pathlib.Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _urls(type_: Type, value: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the URLs among the files in `value`."""
    match type_:
        case Nullable(of):
            yield from _urls(of, value)
        case ListOf(item):
            for each in value or ():
                yield from _urls(item, each)
        case Scalar() if type_ in _FILE_TYPES and _is_url(value):
            yield value


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("data:", "http://", "https://"))


def _localized(
    name: str, value: str | list[str], directory: pathlib.Path, outgoing: Outgoing
) -> str | list[str]:
    """Return `value` with each URL replaced by the path of a copy in `directory`."""
    if isinstance(value, list):
        return [
            str(_localized(f"{name}/{index}", each, directory / str(index), outgoing))
            for index, each in enumerate(value)
        ]
    if not _is_url(value):
        return value
    directory.mkdir(parents=True)
    try:
        if value.startswith("data:"):
            return str(_decoded(value, directory))
        return str(_fetched(value, directory, outgoing))
    except (ValueError, OSError) as error:
        raise FileError(f"input `{name}`: {error}") from error


def _decoded(url: str, directory: pathlib.Path) -> pathlib.Path:
    """Write the content of a data URL (RFC 2397) to a file; raises ValueError."""
    comma = url.find(",")
    if comma < 0:
        raise ValueError("the data URL has no comma")
    mime_type, *parameters = url[len("data:") : comma].split(";")
    content = url[comma + 1 :]
    if "base64" in parameters:
        data = _from_base64(urllib.parse.unquote(content) if "%" in content else content)
    else:
        data = urllib.parse.unquote_to_bytes(content)
    path = directory / f"file{_extension(mime_type)}"
    path.write_bytes(data)
    return path


def _from_base64(text: str) -> bytes:
    """Return what text says, padded or not; raises ValueError."""
    text += "=" * (-len(text) % 4)
    try:
        return msgspec.convert(text, bytes)
    except msgspec.ValidationError:
        pass
    try:
        return base64.b64decode(text.encode(), validate=True)  # it is slow, but knows why not
    except binascii.Error as error:
        raise ValueError(f"the data URL is not base64: {error}") from error


def _fetched(url: str, directory: pathlib.Path, outgoing: Outgoing) -> pathlib.Path:
    """Download a file; raises OSError or ValueError."""
    with outgoing.get(url, _TIMEOUT) as response:
        name = _file_name(url)
        if "." not in name:
            name += _extension(response.headers.get_content_type())
        path = directory / name
        with path.open("wb") as file:
            shutil.copyfileobj(response, file)
        missing = response.length or 0
    if missing:
        raise OSError(f"the download ended {missing} bytes early")
    return path


def _file_name(url: str) -> str:
    """Return a harmless name for a copy of `url` which keeps the extension."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")
    return name[-_LONGEST_NAME:] or "file"


def _extension(mime_type: str) -> str:
    return _MIME_TYPES.guess_extension(mime_type, strict=False) or ""
