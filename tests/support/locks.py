"""Locks for tests that need one and not what it names."""

from __future__ import annotations

from msgspec.structs import replace

from cogn.lockfiles import (
    Archive,
    BaseLayer,
    Deb,
    DebianBase,
    DistributionPython,
    Environment,
    ImageBase,
    Lock,
    Platform,
    Seal,
    Wheel,
)

HEX = "0123456789abcdef" * 4
AMD64: Platform = "linux/amd64"
ARM64: Platform = "linux/arm64"


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


def make_environment(**changes: object) -> Environment:
    """Return a small environment with every kind of entry, for amd64 unless told otherwise."""
    archive = Archive(
        name="debian",
        suite="trixie",
        components=("main",),
        snapshot="20260912T075541Z",
        release=HEX,
    )
    fields: dict[str, object] = {
        "base": DebianBase(
            release="trixie",
            reason='so that "quotes" and ümläuts are tried',
            archives=(archive,),
            debs=(make_deb("bash"), make_deb("libc6")),
        ),
        "python": DistributionPython(
            version="3.13.5",
            reason="the wanted one",
            debs=(make_deb("python3"),),
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
    return Environment(**(fields | changes))  # type: ignore[arg-type]  # the fields are right by name


def make_image_base(layers: int = 2, **changes: object) -> ImageBase:
    """Return a base that is an image, with layers that are smaller the higher they lie."""
    fields: dict[str, object] = {
        "reference": "registry.example.com/team/base:1",
        "manifest": f"sha256:{HEX}",
        "rootfs": f"sha256:{HEX}",
        "release": "trixie",
        "reason": "the base that cogn.toml names",
        "environment": ("PATH=/bin",),
        "layers": tuple(
            BaseLayer(
                digest=f"sha256:{number:064x}",
                diff_id=f"sha256:{number:064x}",
                size=number,
                media_type="application/vnd.oci.image.layer.v1.tar",
            )
            for number in range(layers, 0, -1)
        ),
        "archives": make_environment().base.archives,
        "debs": (make_deb("tini"),),
        "interpreter": (make_deb("libc6"),),
    }
    return ImageBase(**(fields | changes))  # type: ignore[arg-type]  # the fields are right by name


def make_arm_environment(**changes: object) -> Environment:
    """Return the environment of `make_environment` with packages for arm64."""
    made = make_environment(**changes)
    base, python = (
        replace(part, debs=tuple(replace(deb, architecture="arm64") for deb in part.debs))
        for part in (made.base, made.python)
    )
    return replace(made, base=base, python=python)


def make_lock(
    *, inputs: str = f"sha256:{HEX}", bytecode: bool = True, **environment: object
) -> Lock:
    """Return a lock for amd64 alone; what is not of the lock itself is of its environment."""
    environments = {AMD64: make_environment(**environment)}
    return Lock(inputs=inputs, bytecode=bytecode, environments=environments)
