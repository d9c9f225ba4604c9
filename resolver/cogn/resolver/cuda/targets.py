"""The machines that a model is for: whether what was chosen runs on their GPUs and drivers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.version import Version

from cogn.lockfiles import Cuda, Platform
from cogn.report import Where
from cogn.resolver.cuda.brought import TorchBuild
from cogn.resolver.cuda.gpu_request import Targets
from cogn.resolver.cuda.torch_index import capabilities_of, variants_of
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Gpu, Matrix
from cogn.resolver.root import SETTINGS_NAME

__all__ = ["check_targets"]


def check_targets(
    targets: Targets, cuda: Cuda, torch: TorchBuild | None, platform: Platform, matrix: Matrix
) -> None:
    """Raise `CudaError`, with the way out, unless `cuda` works on all of `targets`.

    `torch` is the build in the image, whose code counts.
    """
    faults = list(_faults(targets, cuda.version, cuda.capabilities, cuda.driver, matrix))
    if not faults:
        return
    what = torch.name if torch and torch.cuda else f"CUDA {cuda.version}"
    raise CudaError(
        f"{what} {', and '.join(faults)}",
        where=Where(SETTINGS_NAME, key="gpus" if targets.gpus else "driver"),
        hint=_way_out(targets, torch, platform, matrix),
    )


def _faults(
    targets: Targets, cuda: str, capabilities: Sequence[str], driver: str, matrix: Matrix
) -> Iterator[str]:
    """Yield what keeps a build for `cuda` from running on the targets, as ends of a sentence."""
    gpus = [(name, gpu) for name in targets.gpus if (gpu := matrix.gpu(name)) is not None]
    if targets.driver is not None and _is_older(targets.driver, driver):
        yield f"needs driver >= {driver}, not {targets.driver}"
    lacking = [
        f"{name} ({gpu.capability})"
        for name, gpu in gpus
        if not _has_code(gpu, cuda, capabilities, matrix)
    ]
    if lacking:
        yield f"has no code for {' and '.join(lacking)}"
    if targets.driver is None:
        return
    branch = int(targets.driver.partition(".")[0])
    for name, gpu in gpus:
        if gpu.first_driver is not None and branch < gpu.first_driver:
            yield f"needs driver >= {gpu.first_driver} on {name}, not {targets.driver}"
        if gpu.last_driver is not None and branch > gpu.last_driver:
            yield (
                f"cannot run on {name} with driver {targets.driver}: "
                f"{gpu.last_driver} is the last branch that drives it"
            )


def _has_code(gpu: Gpu, cuda: str, capabilities: Sequence[str], matrix: Matrix) -> bool:
    if gpu.last_cuda is not None and int(cuda.partition(".")[0]) > gpu.last_cuda:
        return False
    if capabilities:
        return matrix.runs_on(capabilities, gpu.capability)
    return Version(cuda) >= Version(gpu.first_cuda)


def _way_out(targets: Targets, torch: TorchBuild | None, platform: Platform, matrix: Matrix) -> str:
    """Return the build of torch that does run on the targets: the same release, else a near one."""
    if torch is None:
        return "change `gpus` or `driver` in cogn.toml, or require builds for another CUDA"
    own = Version(torch.version)
    for release in sorted(
        matrix.torch,
        key=lambda each: _order(Version(each.version), own),
    ):
        for name, cuda in variants_of(release, platform).items():
            capabilities = capabilities_of(release.variants[name], platform)
            driver = matrix.drivers.get(int(cuda.partition(".")[0]), "")
            if not capabilities or not driver:
                continue
            if not list(_faults(targets, cuda, capabilities, driver, matrix)):
                setting = f'set `cuda: "{cuda}"` in cog.yaml'
                if release.version == torch.version:
                    return f"{setting}: torch {torch.version}+{name} does"
                return f"require torch {release.version} and {setting}: its `{name}` does"
    return "no build of torch that cogn knows does: change `gpus` or `driver` in cogn.toml"


def _order(version: Version, own: Version) -> tuple[bool, tuple[int, ...]]:
    """Put the same release first, then older ones from the newest on, then newer ones."""
    is_newer = version > own
    return is_newer, version.release if is_newer else tuple(-part for part in version.release)


def _is_older(driver: str, wanted: str) -> bool:
    """Compare drivers; a branch alone, such as ``580``, stands for all of its drivers."""
    if "." not in driver:
        return int(driver) < int(wanted.partition(".")[0])
    return Version(driver) < Version(wanted)
