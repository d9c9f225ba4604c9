"""The system's certificates, as update-ca-certificates(8) and ``openssl rehash`` leave them.

There are three forms of them in ``/etc/ssl/certs``: one bundle of all, a link to each by its name,
and a link to each by the hash of its subject, which is how OpenSSL looks one up in a directory. The
hash is over OpenSSL's own canonical form of a name, so the few pieces of DER (X.690) that lead to
the name are read here: libraries give names decoded, not with the types that the form depends on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["TrustedCertificates", "trusted_certificates"]

_PACKAGED = "/usr/share/ca-certificates"
_LOCAL = "/usr/local/share/ca-certificates"
_NAMES = str.maketrans({" ": "_", ",": "_", "(": "=", ")": "="})
_BLOCK = re.compile(
    rb"^-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE|X509 CRL)-----\s*$"
    rb"(.*?)^-----END \1-----",
    re.DOTALL | re.MULTILINE,
)
_CRL = b"X509 CRL"
_MOST_COLLISIONS = 256

_OBJECT_IDENTIFIER, _UTF8, _SEQUENCE, _SET = 0x06, 0x0C, 0x30, 0x31
_VERSION = 0xA0
_ENCODINGS = {
    _UTF8: "utf-8",
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # TeletexString, which OpenSSL takes for Latin-1
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
"""The string types of which the canonical form has the text; of others it has the bytes."""


@dataclass(frozen=True, slots=True)
class TrustedCertificates:
    """What belongs into ``/etc/ssl/certs``."""

    bundle: bytes
    """The content of ``ca-certificates.crt``."""
    links: Mapping[str, str]
    """The links by their names in the directory: to certificates, and by hash to those links."""


def trusted_certificates(
    configuration: str, packaged: Mapping[str, bytes], local: Mapping[str, bytes]
) -> TrustedCertificates:
    """Return the bundle and the links of the certificates that the configuration enables.

    `configuration` is that of ``/etc/ca-certificates.conf``. `packaged` and `local` hold the files
    ``*.crt`` by their paths below ``/usr/share/ca-certificates`` and the same in ``/usr/local``;
    all local ones are enabled. As with the tools, a line may name a file that is not there, and a
    file that is not exactly one certificate has no link by hash.
    """
    enabled = [
        (f"{_PACKAGED}/{name}", packaged[name])
        for line in configuration.split("\n")
        if (name := line.strip()) in packaged and not name.startswith(("#", "!"))
    ]
    enabled += [(f"{_LOCAL}/{name}", data) for name, data in sorted(local.items())]
    bundle = bytearray()
    links: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for path, data in enabled:
        name = PurePosixPath(path).name.removesuffix(".crt").translate(_NAMES) + ".pem"
        links[name] = path
        contents[name] = data
        bundle += data
        if data and not data.endswith(b"\n"):
            bundle += b"\n"
    return TrustedCertificates(bytes(bundle), links | _hash_links(contents))


def _hash_links(contents: Mapping[str, bytes]) -> dict[str, str]:
    links: dict[str, str] = {}
    seen: dict[int, list[bytes]] = {}
    for name, data in sorted(contents.items()):
        try:
            certificate = _only_certificate(data)
            number = _subject_hash(certificate)
        except (ValueError, IndexError):
            continue
        same = seen.setdefault(number, [])
        if certificate not in same and len(same) < _MOST_COLLISIONS:
            links[f"{number:08x}.{len(same)}"] = name
            same.append(certificate)
    return links


def _only_certificate(pem: bytes) -> bytes:
    """Return the DER of the file's certificate (RFC 7468), which must be the only one there."""
    [(label, body)] = _BLOCK.findall(pem)
    if label == _CRL:
        raise ValueError
    data = base64.b64decode(b"".join(body.split()), validate=True)
    [(_, certificate), *_] = _values(data)  # a trusted certificate has more after it
    return certificate


def _subject_hash(certificate: bytes) -> int:
    """Return OpenSSL's ``X509_NAME_hash`` of the subject of a certificate in DER."""
    signed = _children(_children(certificate)[0])
    # RFC 5280, 4.1: version (optional), serial, algorithm, issuer, validity, subject.
    subject = signed[5 if signed[0][0] == _VERSION else 4]
    canonical = b"".join(_canonical(part) for part in _children(subject))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "little")


def _canonical(part: bytes) -> bytes:
    """Return the canonical form of one set of a name's attributes: all text is UTF-8, folded."""
    attributes = []
    for attribute in _children(part, _SET):
        kind, value = _children(attribute)
        if kind[0] != _OBJECT_IDENTIFIER:
            raise ValueError
        if encoding := _ENCODINGS.get(value[0]):
            text = _content(value).decode(encoding).encode()
            value = _encoded(_UTF8, b" ".join(text.split()).lower())
        attributes.append(_encoded(_SEQUENCE, kind + value))
    return _encoded(_SET, b"".join(sorted(attributes)))


def _values(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the content of each value that `data` is made of, and the value as it is encoded."""
    offset = 0
    while offset < len(data):
        size, start = data[offset + 1], offset + 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        end = start + size
        if end > len(data):
            raise ValueError
        yield data[start:end], data[offset:end]
        offset = end


def _content(value: bytes) -> bytes:
    return next(_values(value))[0]


def _children(value: bytes, tag: int = _SEQUENCE) -> list[bytes]:
    """Return the values inside of a value, which has to be of the type `tag`."""
    if value[0] != tag:
        raise ValueError
    return [child for _, child in _values(_content(value))]


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
