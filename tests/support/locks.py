"""Locks for tests that need one and not what it names."""

from __future__ import annotations

from cogn.lockfiles import Archive, Base, Deb, Lock, Python, Seal, Wheel

HEX = "0123456789abcdef" * 4


def make_deb(name: str = "libc6", **changes: object) -> Deb:
    """Return a package of the archive that `make_lock` names."""
    fields: dict[str, object] = {
        "name": name,
        "version": "2.41-12",
        "architecture": "amd64",
        "archive": "debian",
        "path": f"pool/main/{name[0]}/{name}/{name}_2.41-12_amd64.deb",
        "sha256": HEX,
        "size": 1000,
    }
    return Deb(**(fields | changes))  # type: ignore[arg-type]  # the fields are right by name


def make_wheel_entry(
    name: str = "sample", version: str = "1.0", *, size: int = 1000, tag: str = "py3-none-any"
) -> Wheel:
    """Return a wheel of a lock."""
    file = f"{name}-{version}-{tag}.whl"
    return Wheel(name=name, version=version, file=file, sha256=HEX, size=size)


def make_lock(**changes: object) -> Lock:
    """Return a small lock with every kind of entry."""
    archive = Archive(
        name="debian",
        suite="trixie",
        components=("main",),
        snapshot="20260912T075541Z",
        release=HEX,
    )
    fields: dict[str, object] = {
        "inputs": f"sha256:{HEX}",
        "platform": "linux/amd64",
        "base": Base(
            kind="debian",
            release="trixie",
            reason='so that "quotes" and ümläuts are tried',
            archives=(archive,),
            debs=(make_deb("bash"), make_deb("libc6")),
        ),
        "python": Python(
            version="3.13.5", source="debian", reason="the wanted one", debs=(make_deb("python3"),)
        ),
        "wheels": (make_wheel_entry(),),
        "server": (make_wheel_entry("uvicorn"),),
        "seals": (
            Seal(
                layer="base",
                recipe=f"sha256:{HEX}",
                diff_id=f"sha256:{HEX}",
                digest=f"sha256:{HEX}",
                size=5,
            ),
        ),
    }
    return Lock(**(fields | changes))  # type: ignore[arg-type]  # the fields are right by name
