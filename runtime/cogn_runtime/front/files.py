"""Files in requests and answers: to local copies on the way in, to data URLs on the way out."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import pathlib
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import msgspec

import cogn_runtime
from cogn_runtime.front.messages import OutputFile
from cogn_runtime.schema import ListOf, Nullable, Scalar, Signature, Type

__all__ = ["FileError", "is_remote", "local_files", "with_data_urls"]

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
    signature: Signature, inputs: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Give `inputs` with local paths in the place of `data:` and `http(s):` URLs of files.

    The copies are removed at the end. Raises FileError when one cannot be made.
    """
    remote = [field for field in signature.inputs if any(_urls(field.type, inputs[field.name]))]
    if not remote:
        yield inputs
        return
    directory = pathlib.Path(await anyio.to_thread.run_sync(_new_directory))
    try:
        local = dict(inputs)
        for field in remote:
            place = directory / field.name
            local[field.name] = await anyio.to_thread.run_sync(
                _localized, field.name, inputs[field.name], place, abandon_on_cancel=True
            )
        yield local
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_remove, directory)


def is_remote(signature: Signature, inputs: Mapping[str, Any]) -> bool:
    """Tell whether files have to be fetched from elsewhere for these inputs."""
    return any(
        not url.startswith("data:")
        for field in signature.inputs
        for url in _urls(field.type, inputs[field.name])
    )


async def with_data_urls(output: msgspec.Raw, files: Sequence[OutputFile]) -> object:
    """Return the output with its files as data URLs; raises FileError when one cannot be read."""
    if not files:
        return output
    return await anyio.to_thread.run_sync(_inlined, output, files)


def _new_directory() -> str:
    return tempfile.mkdtemp(prefix="cogn-")


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


def _localized(name: str, value: str | list[str], directory: pathlib.Path) -> str | list[str]:
    """Return `value` with each URL replaced by the path of a copy in `directory`."""
    if isinstance(value, list):
        return [
            str(_localized(f"{name}/{index}", each, directory / str(index)))
            for index, each in enumerate(value)
        ]
    if not _is_url(value):
        return value
    directory.mkdir(parents=True)
    try:
        return str(
            _decoded(value, directory) if value.startswith("data:") else _fetched(value, directory)
        )
    except (ValueError, OSError) as error:
        raise FileError(f"input `{name}`: {error}") from error


def _decoded(url: str, directory: pathlib.Path) -> pathlib.Path:
    """Write the content of a data URL (RFC 2397) to a file; raises ValueError."""
    header, comma, content = url.removeprefix("data:").partition(",")
    if not comma:
        raise ValueError("the data URL has no comma")
    mime_type, *parameters = header.split(";")
    data = urllib.parse.unquote_to_bytes(content)
    if "base64" in parameters:
        try:
            data = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
        except binascii.Error as error:
            raise ValueError(f"the data URL is not base64: {error}") from error
    path = directory / f"file{_extension(mime_type)}"
    path.write_bytes(data)
    return path


def _fetched(url: str, directory: pathlib.Path) -> pathlib.Path:
    """Download a file; raises OSError, of which urllib's errors are kinds, or ValueError."""
    agent = f"cogn/{cogn_runtime.__version__}"
    request = urllib.request.Request(url, headers={"User-Agent": agent})  # noqa: S310 - http(s) only
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
        name = _file_name(url)
        if "." not in name:
            name += _extension(response.headers.get_content_type())
        path = directory / name
        with path.open("wb") as file:
            shutil.copyfileobj(response, file)
    return path


def _file_name(url: str) -> str:
    """Return a harmless name for a copy of `url` which keeps the extension."""
    last = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")
    return name[-_LONGEST_NAME:] or "file"


def _extension(mime_type: str) -> str:
    return _MIME_TYPES.guess_extension(mime_type, strict=False) or ""


def _inlined(output: msgspec.Raw, files: Sequence[OutputFile]) -> object:
    # The whole is put into a list, so that an output which is a file has a place like any other.
    holder = [msgspec.json.decode(output)]
    for file in files:
        container: Any = holder
        *way, last = [0, *file.at]
        for step in way:
            container = container[step]
        container[last] = _data_url(pathlib.Path(file.path))
    return holder[0]


def _data_url(path: pathlib.Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"the output file cannot be read: {error}") from error
    mime_type = _MIME_TYPES.guess_type(path.name, strict=False)[0] or "application/octet-stream"
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"
