"""Certificates, against update-ca-certificates and OpenSSL."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from cogn.layers.debian.certificates import TrustedCertificates, trusted_certificates

UPDATE = shutil.which("update-ca-certificates", path="/usr/sbin")
PACKAGED = Path("/usr/share/ca-certificates")
LOCAL = Path("/usr/local/share/ca-certificates")


def certificate(*parts: list[tuple[x509.ObjectIdentifier, str, _ASN1Type]]) -> bytes:
    """Return a self-signed certificate whose subject has these sets of attributes."""
    name = x509.Name(
        x509.RelativeDistinguishedName(
            x509.NameAttribute(oid, value, kind) for oid, value, kind in part
        )
        for part in parts
    )
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def linked(directory: Path) -> dict[str, str]:
    return {path.name: str(path.readlink()) for path in directory.iterdir() if path.is_symlink()}


def update(tmp_path: Path, configuration: str, packaged: Path, local: Path) -> TrustedCertificates:
    """Return what update-ca-certificates makes of two directories, under their usual names."""
    assert UPDATE is not None
    (tmp_path / "conf").write_text(configuration)
    certs = tmp_path / "certs"
    certs.mkdir()
    arguments = {
        "certsconf": tmp_path / "conf",
        "certsdir": packaged,
        "localcertsdir": local,
        "etccertsdir": certs,
        "hooksdir": tmp_path / "none",
    }
    options = [word for name, path in arguments.items() for word in (f"--{name}", str(path))]
    subprocess.run(
        ["sh", UPDATE, *options], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"}
    )
    places = {f"{packaged}/": f"{PACKAGED}/", f"{local}/": f"{LOCAL}/"}
    links = linked(certs)
    for real, usual in places.items():
        links = {name: text.replace(real, usual) for name, text in links.items()}
    return TrustedCertificates((certs / "ca-certificates.crt").read_bytes(), links)


def read(directory: Path) -> dict[str, bytes]:
    paths = directory.rglob("*.crt")
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def test_this_machines_certificates_are_as_update_ca_certificates_leaves_them(
    tmp_path: Path,
) -> None:
    names = sorted(read(PACKAGED))
    configuration = "".join(f"{name}\n" for name in ["# all but the first", f"!{names[0]}"])
    configuration += "".join(f"{name}\n" for name in [*names[1:], "", "mozilla/gone.crt"])
    ours = trusted_certificates(configuration, read(PACKAGED), {})
    assert ours == update(tmp_path, configuration, PACKAGED, tmp_path / "none")
    assert len(ours.links) > 200


def test_names_hashes_and_odd_files_are_treated_as_the_tools_do(tmp_path: Path) -> None:
    text, printable = _ASN1Type.UTF8String, _ASN1Type.PrintableString
    unit, organization, name = (
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.COMMON_NAME,
    )
    country = [(NameOID.COUNTRY_NAME, "DE", printable)]
    plain = certificate(country, [(organization, "A  B\tc ", text)], [(name, "Größe X", text)])
    alike = certificate(country, [(organization, " a b C", text)], [(name, "größe x", text)])
    kinds = [
        (organization, "Zwölf", _ASN1Type.BMPString),
        (organization, "Forty-Two", _ASN1Type.T61String),
        (organization, "42", _ASN1Type.NumericString),
        (organization, "\N{MUSICAL SYMBOL G CLEF}", _ASN1Type.UniversalString),
        (NameOID.EMAIL_ADDRESS, "Me@Example.com", _ASN1Type.IA5String),
    ]
    packaged, local = tmp_path / "packaged", tmp_path / "local"
    files = {
        packaged / "a/plain (one), two.crt": b"text before\n" + plain.rstrip(b"\n"),
        packaged / "a/alike.crt": alike.replace(b"\n", b"\r\n"),
        packaged / "b/duplicate.crt": plain,
        packaged / "two.crt": plain + alike,
        packaged / "cut.crt": plain[:400],
        packaged / "broken.crt": plain.replace(plain[200:220], b"!" * 20),
        packaged / "empty.crt": b"",
        packaged / "long.crt": certificate([(organization, "x" * 60 + " " * 70 + "y", text)]),
        packaged / "kinds.crt": certificate(*([kind] for kind in kinds)),
        packaged / "set.crt": certificate([(unit, "B", text), (name, "a", text)]),
        packaged / "none.crt": certificate(),
        local / "b/mine.crt": certificate([(name, "mine", text)]),
        packaged / "over.crt": certificate([(name, "over", text)]),
        local / "a/over.crt": certificate([(name, "over", printable)]),
    }
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    configuration = "".join(f"{name}\n" for name in read(packaged))
    ours = trusted_certificates(configuration, read(packaged), read(local))
    assert ours == update(tmp_path, configuration, packaged, local)
    assert ours.links["plain_=one=__two.pem"] == f"{PACKAGED}/a/plain (one), two.crt"
    by_hash = [name for name in ours.links if not name.endswith(".pem")]
    assert sorted(name.partition(".")[2] for name in by_hash) == [*"0000000", "1"]


@pytest.mark.parametrize("data", [b"0", b"0\x84\xff\xff\xff\xff", b"0\x02\x30\x00", bytes(64)])
def test_what_is_no_certificate_has_no_link_by_hash(data: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % base64.b64encode(data)
    trusted = trusted_certificates("x.crt\n", {"x.crt": pem}, {})
    assert trusted == TrustedCertificates(pem, {"x.pem": f"{PACKAGED}/x.crt"})
