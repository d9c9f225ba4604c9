"""InRelease files: what an archive says about a suite, under its signature.

The format is Debian's repository format, the signature a cleartext signature (RFC 9580, 7).
"""

from __future__ import annotations

import email.utils
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from debian.deb822 import Deb822
from pysequoia import Cert, verify

from cogn.store.errors import ArchiveError

__all__ = ["SNAPSHOT_FORMAT", "IndexFile", "Release", "read_release"]

SNAPSHOT_FORMAT = "%Y%m%dT%H%M%SZ"
"""How the snapshot services write a moment, for `datetime.strftime`."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file that a release vouches for: its hex SHA-256 and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The signed content of one InRelease file."""

    sha256: str
    """The hash of the whole InRelease file."""
    origin: str
    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    components: tuple[str, ...]
    acquire_by_hash: bool
    files: Mapping[str, IndexFile]
    """The index files, by their path below the suite's directory."""

    @property
    def snapshot(self) -> str:
        """The release's date in the form of the snapshot services, such as 20260912T075541Z."""
        return self.date.strftime(SNAPSHOT_FORMAT)


def read_release(inrelease: bytes, *, name: str, keys: Sequence[Cert], signer: str) -> Release:
    """Return what is signed in `inrelease`; text outside the signature counts for nothing.

    `name` is the archive and suite, and `signer` whose `keys` these are, for messages. Raises
    `ArchiveError` when none of `keys` made a valid signature over the text, and when the text is
    not that of a release.
    """
    text = _signed_text(inrelease, name, keys, signer)
    fields = Deb822(text)
    field = partial(_field, fields, name)
    valid_until = fields.get("Valid-Until")
    return Release(
        sha256=hashlib.sha256(inrelease).hexdigest(),
        origin=field("Origin"),
        suite=field("Suite"),
        codename=field("Codename"),
        date=_date(field("Date"), name),
        valid_until=None if valid_until is None else _date(valid_until, name),
        components=tuple(field("Components").split()),
        acquire_by_hash=fields.get("Acquire-By-Hash") == "yes",
        files=_files(field("SHA256"), name),
    )


def _signed_text(inrelease: bytes, name: str, keys: Sequence[Cert], signer: str) -> str:
    try:
        verified = verify(inrelease, lambda _key_ids: list(keys))
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        msg = f"the InRelease file of {name} is not signed by a key of {signer}: {reason}"
        hint = (
            "the mirror may answer with something else than the archive, or a release newer than "
            "this version of cogn is signed with newer keys"
        )
        raise ArchiveError(msg, hint=hint) from error
    _check_expiration([signature.certificate for signature in verified.valid_sigs], keys, name)
    try:
        return (verified.bytes or b"").decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"the InRelease file of {name} is not UTF-8") from error


def _check_expiration(signers: Sequence[str], keys: Sequence[Cert], name: str) -> None:
    """Refuse signatures of expired keys, which count as valid when they claim an early date."""
    now = datetime.now(UTC)
    expirations = [key.expiration for key in keys if key.fingerprint in signers]
    if all(expiration is not None and expiration < now for expiration in expirations):
        msg = f"the InRelease file of {name} is signed by no key but expired ones"
        raise ArchiveError(msg, hint="a newer version of cogn may know the newer keys")


def _field(fields: Mapping[str, str], name: str, key: str) -> str:
    value = fields.get(key)
    if value is None:
        raise ArchiveError(f"the InRelease file of {name} has no field `{key}`")
    return value


def _date(value: str, name: str) -> datetime:
    try:
        parsed = email.utils.parsedate_to_datetime(value)
    except ValueError as error:
        raise ArchiveError(f"the InRelease file of {name} has a malformed date: {value}") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _files(value: str, name: str) -> dict[str, IndexFile]:
    files = {}
    for line in value.splitlines():
        match line.split():
            case [sha256, size, path] if len(sha256) == 64 and size.isdecimal():
                files[path] = IndexFile(sha256, int(size))
            case []:
                pass
            case _:
                raise ArchiveError(f"the InRelease file of {name} has a malformed line: {line}")
    return files
