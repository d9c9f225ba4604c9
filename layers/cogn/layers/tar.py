"""Tar headers of the layer format: USTAR (POSIX.1-1988), with PAX records where USTAR is short.

The standard library's tar writer is not used because its PAX output is no stable contract, and a
layer's digest must be the same with every Python.
"""

from __future__ import annotations

from cogn.layers.entry import Entry, Kind

__all__ = ["BLOCK", "END", "header", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)
"""What ends an archive: two blocks of zeros, no further padding."""

_LONGEST_NAME = 100
_LARGEST_ID = 0o7777777
_LARGEST_SIZE = 0o77777777777
_PAX = b"x"
_XATTR = "SCHILY.xattr."
"""What begins the record of an extended attribute, whose value may be any bytes (star(5))."""


def header(entry: Entry) -> bytes:
    """Return the header blocks of `entry`: one, or three and more when a PAX record is needed."""
    name = entry.path.encode()
    if entry.kind is Kind.DIRECTORY:
        name += b"/"
    target = entry.target.encode()
    size = entry.content.size if entry.kind is Kind.FILE else 0
    records = {}
    if len(name) > _LONGEST_NAME or not name.isascii():
        records["path"] = name
    if len(target) > _LONGEST_NAME or not target.isascii():
        records["linkpath"] = target
    if size > _LARGEST_SIZE:
        records["size"] = b"%d" % size
    for attribute, value in entry.xattrs:
        records[f"{_XATTR}{attribute}"] = value
    blocks = b""
    if records:
        body = b"".join(_record(key, value) for key, value in sorted(records.items()))
        blocks = _block(
            b"PaxHeader", b"", _PAX, mode=0o644, uid=0, gid=0, size=len(body), mtime=entry.mtime
        )
        blocks += body + padding(len(body))
    return blocks + _block(
        name,
        target,
        entry.kind.value,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=0 if "size" in records else size,
        mtime=entry.mtime,
    )


def padding(size: int) -> bytes:
    """Return the zeros that follow `size` bytes of content up to the next block."""
    return bytes(-size % BLOCK)


def _block(
    name: bytes, target: bytes, flag: bytes, *, mode: int, uid: int, gid: int, size: int, mtime: int
) -> bytes:
    if not (0 <= uid <= _LARGEST_ID and 0 <= gid <= _LARGEST_ID):
        raise ValueError(f"uid {uid} or gid {gid} does not fit a tar header")
    fields = (
        name[:_LONGEST_NAME].ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % uid,
        b"%07o\0" % gid,
        b"%011o\0" % size,
        b"%011o\0" % mtime,
        b" " * 8,  # the checksum counts its own field as spaces
        flag,
        target[:_LONGEST_NAME].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(32 + 32),  # user and group names: numbers alone count in images
        b"0000000\x000000000\0",  # device numbers
        bytes(155 + 12),  # prefix: long names go to a PAX record, one rule for all
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: bytes) -> bytes:
    """Return one PAX record, whose leading number counts the whole record (POSIX.1-2001)."""
    body = b" %s=%s\n" % (key.encode(), value)
    length = len(body)
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d%s" % (length, body)
