"""Which files a lock names, and where `cogn vendor` puts them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cogn.layers.named import locked_files, vendor_paths
from cogn.lockfiles import Lock, StandalonePython
from cogn.store.errors import VendorError
from support.locks import (
    AMD64,
    ARM64,
    HEX,
    make_arm_environment,
    make_deb,
    make_environment,
    make_image_base,
    make_wheel_entry,
)


def test_every_kind_of_file_has_a_readable_place() -> None:
    python = StandalonePython(
        version="3.12.1",
        reason="",
        release="20260814",
        file="cpython-3.12.1+20260814-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz",
        sha256="a" * 64,
    )
    environment = make_environment(
        base=make_image_base(
            layers=1,
            rootfs=f"sha256:{'b' * 64}",
            debs=(make_deb("tini", sha256="c" * 64),),
            interpreter=(make_deb("libc6", sha256="d" * 64),),
        ),
        python=python,
        wheels=(replace(make_wheel_entry(), sha256="e" * 64),),
        server=(replace(make_wheel_entry("uvicorn"), sha256="f" * 64),),
    )
    lock = Lock(inputs=f"sha256:{HEX}", environments={AMD64: environment})
    files = locked_files(lock, [AMD64])
    assert sorted((file.path, file.name) for file in files) == [
        (f"blobs/sha256/{1:064x}", "layer 1/1 of `registry.example.com/team/base:1`"),
        (f"blobs/sha256/{'b' * 64}", "what `registry.example.com/team/base:1` holds"),
        ("debs/libc6_2.41-12_amd64.deb", "libc6 2.41-12 (amd64)"),
        ("debs/tini_2.41-12_amd64.deb", "tini 2.41-12 (amd64)"),
        (f"python/{python.file}", python.file),
        ("wheels/sample-1.0-py3-none-any.whl", "sample-1.0-py3-none-any.whl"),
        ("wheels/uvicorn-1.0-py3-none-any.whl", "uvicorn-1.0-py3-none-any.whl"),
    ]
    assert vendor_paths(files)["a" * 64] == f"python/{python.file}"


def test_two_files_of_one_name_cannot_be_in_one_directory() -> None:
    one, other = (replace(make_wheel_entry(), sha256=digit * 64) for digit in "01")
    environments = {
        AMD64: make_environment(wheels=(one,)),
        ARM64: make_arm_environment(wheels=(other,)),
    }
    lock = Lock(inputs=f"sha256:{HEX}", bytecode=False, environments=environments)
    with pytest.raises(VendorError) as caught:
        vendor_paths(locked_files(lock, [AMD64, ARM64]))
    assert caught.value.message == (
        "the lock names two files `wheels/sample-1.0-py3-none-any.whl`, with different hashes"
    )
    assert vendor_paths(locked_files(lock, [ARM64]))["1" * 64]
