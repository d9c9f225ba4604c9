"""Images in the shape of NVIDIA's: CUDA on a system, its variables and labels, attestations."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from support.bases import GZIP, BaseImage
from support.debian import make_tar, tar_member
from support.registry import digest_of

CUDA = "usr/local/cuda-12.4"
ENTRYPOINT = "/opt/nvidia/nvidia_entrypoint.sh"
LIBRARIES = ("libcudart.so.12", "libnvrtc.so.12")
"""Names that are not longer than that of the small library which stands for each of them."""

_STANDS_FOR = "usr/lib/x86_64-linux-gnu/libBrokenLocale.so.1"
_STATUS = "var/lib/dpkg/status"
_BRANDS = (
    *("unknown", "grid", "tesla", "nvidia", "quadro", "quadrortx", "nvidiartx", "vapps", "vpc"),
    *("vcs", "vws", "cloudgaming"),
)
REQUIRE = "cuda>=12.4 " + " ".join(
    f"brand={brand},driver>={driver},driver<{driver + 1}"
    for driver in (470, 535)
    for brand in _BRANDS
)
ENVIRONMENT = {
    "PATH": "/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin"
    ":/usr/bin:/sbin:/bin",
    "NVARCH": "x86_64",
    "NVIDIA_REQUIRE_CUDA": REQUIRE,
    "NV_CUDA_CUDART_VERSION": "12.4.127-1",
    "CUDA_VERSION": "12.4.1",
    "LD_LIBRARY_PATH": "/usr/local/nvidia/lib64:/usr/local/cuda/lib64",
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    "NV_CUDA_LIB_VERSION": "12.4.1-1",
    "NV_LIBNPP_VERSION": "12.2.5.30-1",
    "NV_NVTX_VERSION": "12.4.127-1",
    "NV_LIBCUSPARSE_VERSION": "12.3.1.170-1",
    "NV_LIBCUBLAS_VERSION": "12.4.5.8-1",
    "NV_LIBNCCL_PACKAGE_VERSION": "2.21.5-1",
    "NCCL_VERSION": "2.21.5-1",
    "NVIDIA_PRODUCT_NAME": "CUDA",
    "NV_CUDNN_VERSION": "9.1.0.70-1",
    "NV_CUDNN_PACKAGE_NAME": "libcudnn9-cuda-12",
    "NV_CUDNN_PACKAGE": "libcudnn9-cuda-12=9.1.0.70-1",
}
LABELS = {
    "maintainer": "NVIDIA CORPORATION <cudatools@nvidia.com>",
    "com.nvidia.cudnn.version": "9.1.0.70-1",
    "org.opencontainers.image.ref.name": "ubuntu",
    "org.opencontainers.image.version": "22.04",
}
_SCRIPT = '#!/bin/bash\nfor file in /opt/nvidia/entrypoint.d/*; do cat "$file"; done\nexec "$@"\n'

_OCI = "application/vnd.oci.image"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def nvidia_image(system: BaseImage, scratch: Path) -> BaseImage:
    """Return an image with CUDA on top of a Debian; `scratch` is a directory to unpack it in.

    Its loader's cache is what ldconfig(8) makes of it.
    """
    for _, _, archive in system.layers:
        _unpack(archive, scratch)
    cuda = make_tar(_cuda(scratch))
    _unpack(cuda, scratch)
    subprocess.run(["ldconfig", "-r", scratch], env={"PATH": "/usr/sbin:/sbin"}, check=True)
    cache = make_tar([tar_member("etc/ld.so.cache", (scratch / "etc/ld.so.cache").read_bytes())])
    archives = [*(archive for _, _, archive in system.layers), cuda, cache]
    return replace(nvidia_shape(archives), architecture=system.architecture)


def nvidia_shape(archives: Sequence[bytes], architecture: str = "amd64") -> BaseImage:
    """Return an image of these layers with the configuration of NVIDIA's."""
    layers = [(GZIP, gzip.compress(archive, 1), archive) for archive in archives]
    settings = {
        "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
        "Labels": LABELS,
        "Entrypoint": [ENTRYPOINT],
        "Cmd": ["/bin/bash"],
        "WorkingDir": "/",
    }
    return BaseImage(layers, architecture=architecture, config={"config": settings})


def push_index(host: str, repository: str, tag: str, images: Mapping[str, BaseImage]) -> str:
    """Push images by platform, each with an attestation, under an index; return its digest."""
    root = f"http://{host}/v2/{repository}"
    entries = []
    with httpx.Client(timeout=60) as client:
        for platform, image in images.items():
            for _, blob, _ in image.layers:
                _push_blob(client, root, blob)
            manifest = image.documents[1]
            _push_blob(client, root, image.documents[0])
            digest = _push_manifest(client, root, manifest, _DOCKER_MANIFEST)
            system, _, architecture = platform.partition("/")
            entries.append(
                {
                    "mediaType": _DOCKER_MANIFEST,
                    "digest": digest,
                    "size": len(manifest),
                    "platform": {"architecture": architecture, "os": system},
                }
            )
            entries.append(_push_attestation(client, root, digest))
        kind = f"{_OCI}.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
        return _push_manifest(client, root, json.dumps(index).encode(), kind, tag)


def _cuda(system: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return what NVIDIA's packages and Dockerfile add to a system."""
    link = {"type": tarfile.SYMTYPE, "size": 0}
    own = (system / _STANDS_FOR).read_bytes()
    old = Path(_STANDS_FOR).name.encode()
    stanza = (
        "\nPackage: cuda-cudart-12-4\nStatus: hold ok installed\nPriority: optional\n"
        "Section: devel\nInstalled-Size: 700\nMaintainer: cudatools <cudatools@nvidia.com>\n"
        "Architecture: amd64\nVersion: 12.4.127-1\nDescription: CUDA Runtime native Libraries\n"
    )
    lib = f"{CUDA}/targets/x86_64-linux/lib"
    members = [
        tar_member(f"{lib}/{name}.4.127", own.replace(old, name.encode().ljust(len(old), b"\0")))
        for name in LIBRARIES
    ]
    members += [tar_member(f"{lib}/{name}", linkname=f"{name}.4.127", **link) for name in LIBRARIES]
    return [
        *members,
        tar_member(f"{CUDA}/lib64", linkname="targets/x86_64-linux/lib", **link),
        tar_member(f"{CUDA}/bin/probe", b"#!/bin/sh\necho probed\n", mode=0o755),
        tar_member("usr/local/cuda", linkname="/etc/alternatives/cuda", **link),
        tar_member("usr/local/cuda-12", linkname="/etc/alternatives/cuda-12", **link),
        tar_member("etc/alternatives/cuda", linkname=f"/{CUDA}", **link),
        tar_member("etc/alternatives/cuda-12", linkname=f"/{CUDA}", **link),
        tar_member("var/lib/dpkg/alternatives/cuda", _alternative("cuda")),
        tar_member("var/lib/dpkg/alternatives/cuda-12", _alternative("cuda-12")),
        tar_member("etc/ld.so.conf.d/000_cuda.conf", b"/usr/local/cuda/lib64\n"),
        tar_member(
            "etc/ld.so.conf.d/988_cuda-12.conf", b"/usr/local/cuda-12/targets/x86_64-linux/lib\n"
        ),
        tar_member(
            "etc/ld.so.conf.d/nvidia.conf", b"/usr/local/nvidia/lib\n/usr/local/nvidia/lib64\n"
        ),
        tar_member("NGC-DL-CONTAINER-LICENSE", b"The container's licence\n"),
        tar_member(ENTRYPOINT[1:], _SCRIPT.encode(), mode=0o755),
        tar_member("opt/nvidia/entrypoint.d/10-banner.txt", b"== CUDA ==\n"),
        tar_member(_STATUS, (system / _STATUS).read_bytes() + stanza.encode()),
        tar_member("var/lib/dpkg/info/cuda-cudart-12-4.list", f"/.\n/{lib}\n".encode()),
        tar_member("var/lib/dpkg/info/cuda-cudart-12-4.md5sums"),
    ]


def _alternative(name: str) -> bytes:
    return f"auto\n/usr/local/{name}\n\n/{CUDA}\n124\n\n".encode()


def _unpack(archive: bytes, directory: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        members.extractall(directory, filter="fully_trusted")


def _push_attestation(client: httpx.Client, root: str, subject: str) -> dict[str, object]:
    """Push what BuildKit attests of a manifest; return its entry in the index."""
    statement = json.dumps({"predicateType": "https://slsa.dev/provenance/v0.2"}).encode()
    config = json.dumps(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]},
            "history": [{"comment": subject}],
        }
    ).encode()
    kind = f"{_OCI}.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": _descriptor(f"{_OCI}.config.v1+json", config),
        "layers": [_descriptor("application/vnd.in-toto+json", statement)],
    }
    data = json.dumps(manifest).encode()
    for blob in (statement, config):
        _push_blob(client, root, blob)
    _push_manifest(client, root, data, kind)
    return _descriptor(kind, data) | {
        "platform": {"architecture": "unknown", "os": "unknown"},
        "annotations": {
            "vnd.docker.reference.digest": subject,
            "vnd.docker.reference.type": "attestation-manifest",
        },
    }


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _push_blob(client: httpx.Client, root: str, data: bytes) -> None:
    location = client.post(f"{root}/blobs/uploads/").headers["Location"]
    url = httpx.URL(location).copy_add_param("digest", digest_of(data))
    client.put(url, content=data).raise_for_status()


def _push_manifest(
    client: httpx.Client, root: str, data: bytes, media_type: str, tag: str | None = None
) -> str:
    digest = digest_of(data)
    answer = client.put(
        f"{root}/manifests/{tag or digest}", content=data, headers={"Content-Type": media_type}
    )
    answer.raise_for_status()
    return digest
