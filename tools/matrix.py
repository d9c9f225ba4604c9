"""Rows of matrix.toml, made from what is published: see docs/matrix.md.

Each command reads a file that a person has fetched, from wherever they get such files; this program
itself asks nobody.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.metadata import Metadata
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

__all__ = ["images", "main", "pythons", "torch_build", "torch_releases", "with_pythons"]

ROOT = Path(__file__).parents[1]

_OLDEST_PYTHON = (3, 10)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ARCHIVE = re.compile(
    r"cpython-(?P<version>[\d.]+)(\+|%2B)(?P<release>\d{8})-(?P<machine>x86_64|aarch64)"
    r"-unknown-linux-gnu-(?P<kind>install_only(_stripped)?)\.tar\.gz"
)
_TAG = re.compile(
    r"(?P<cuda>\d+\.\d+\.\d+)(-(?P<cudnn>cudnn\d*))?-(?:base|runtime|devel)"
    r"-ubuntu(?P<ubuntu>\d\d\.04)"
)
_CODE = re.compile(rb"(?:(?:sm|compute)_\d+ ?)+")


def pythons(metadata: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows of `[pythons]`, the newest first, from uv's ``download-metadata.json``."""
    found: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for entry in metadata.values():
        if entry["name"] != "cpython" or entry["prerelease"] or entry.get("variant"):
            continue
        match = _ARCHIVE.fullmatch(entry["url"].rpartition("/")[2])
        if match and Version(match["version"]).release >= _OLDEST_PYTHON and entry["sha256"]:
            key = (match["version"], match["release"], match["kind"])
            found[key][_ARCHITECTURES[match["machine"]]] = entry["sha256"]
    seen: set[str] = set()
    for version, release, kind in sorted(
        found, key=lambda key: (Version(key[0]), key[1], key[2]), reverse=True
    ):
        if version not in seen:
            seen.add(version)
            fields = [f'release = "{release}"']
            fields += [f'kind = "{kind}"'] if kind == "install_only" else []
            digests = sorted(found[version, release, kind].items())
            fields += [f'{architecture} = "{digest}"' for architecture, digest in digests]
            yield f'"{version}" = {{ {", ".join(fields)} }}'


def with_pythons(text: str, rows: Iterable[str]) -> str:
    """Return the text of matrix.toml with other rows in its last table, `[pythons]`."""
    head, mark, _ = text.partition("\n[pythons]\n")
    if not mark:
        raise ValueError("matrix.toml has no table [pythons]")
    return head + mark + "".join(f"{row}\n" for row in rows)


def torch_releases(page: Mapping[str, Any]) -> Iterator[str]:
    """Yield what `[torch.releases]` says of each release, from an index's page (PEP 691)."""
    machines: dict[Version, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    days: dict[Version, set[str]] = defaultdict(set)
    for file in page["files"]:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:
            continue
        for tag in tags:
            machine = next((m for m in _ARCHITECTURES if tag.platform.endswith(m)), None)
            if machine and "linux" in tag.platform and not tag.abi.endswith("t"):
                machines[version][machine].add(f"{tag.interpreter[2]}.{tag.interpreter[3:]}")
                days[version].add(file["upload-time"][:10])
    for version in sorted(machines):
        amd64, arm64 = (_words(machines[version][machine]) for machine in _ARCHITECTURES)
        own = f', pythons-arm64 = "{arm64}"' if arm64 != amd64 else ""
        day = min(days[version])
        yield f'"{version}" = {{ released = "{day}", pythons = "{amd64}"{own}, ... }}'


def torch_build(wheel: Path) -> str:
    """Return what `[torch.builds]` says of a build, from its wheel: CUDA, cuDNN and the code."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (library,) = (name for name in names if name.endswith("/lib/libtorch_python.so"))
        (about,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        code = max(_CODE.findall(archive.read(library)), key=len, default=b"").decode().split()
        metadata = Metadata.from_email(archive.read(about), validate=False)
    pins = {
        requirement.name: next(iter(requirement.specifier)).version
        for requirement in metadata.requires_dist or ()
        if len(requirement.specifier) == 1
    }
    runtime = next(
        (pins[name] for name in pins if re.match("cuda-toolkit|nvidia-cuda-runtime", name)), None
    )
    if runtime is None or not code:
        return "cpu = {}"
    major, minor = runtime.split(".")[:2]
    cudnn = next(pins[name] for name in pins if name.startswith("nvidia-cudnn"))
    own = {each.removeprefix("sm_") for each in code if each.startswith("sm_")}
    translated = {each.removeprefix("compute_") for each in code if each.startswith("compute_")}
    listed = [
        f"{number[:-1]}.{number[-1]}{'+PTX' if number in translated else ''}"
        for number in sorted(own | translated, key=int)
    ]
    return f'cu{major}{minor} = {{ cudnn = "{cudnn}", capabilities = "{" ".join(listed)}" }}'


def images(tags: Iterable[str]) -> Iterator[str]:
    """Yield the rows of `nvidia.images`, the newest first, from the repository's list of tags."""
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for tag in tags:
        if match := _TAG.fullmatch(tag):
            named, ubuntu = found[match["cuda"]]
            ubuntu.add(match["ubuntu"])
            named.update([match["cudnn"]] if match["cudnn"] else [])
    for cuda in sorted(found, key=Version, reverse=True):
        named, ubuntu = found[cuda]
        cudnn = f'cudnn = "{max(named)}", ' if named else ""
        yield f'    {{ cuda = "{cuda}", {cudnn}ubuntu = "{_words(ubuntu)}" }},'


def _words(versions: Iterable[str]) -> str:
    return " ".join(sorted(versions, key=Version))


def main() -> None:
    """Run a command; the rows go to standard output, but `pythons` writes them into the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["pythons", "torch-releases", "torch-build", "images"])
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "torch-build":
        print(torch_build(arguments.file))
        return
    data = json.loads(arguments.file.read_text("utf-8"))
    if arguments.command == "pythons":
        target = ROOT / "matrix.toml"
        fresh = target.with_suffix(".new")
        fresh.write_text(with_pythons(target.read_text("utf-8"), pythons(data)), "utf-8")
        fresh.replace(target)
    else:
        rows = (
            torch_releases(data) if arguments.command == "torch-releases" else images(data["Tags"])
        )
        sys.stdout.writelines(f"{row}\n" for row in rows)


if __name__ == "__main__":
    main()
