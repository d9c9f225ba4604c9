"""What a project asks of a GPU, and which Python and which base follow from that."""

from __future__ import annotations

from typing import cast

from packaging.requirements import Requirement

from cogn.lockfiles import Base, Cuda, ImageBase, Platform
from cogn.report import Where
from cogn.resolver.cuda import CudaChoice, GpuRequest, Targets, fitting_python
from cogn.resolver.errors import CudaError
from cogn.resolver.matrix import Matrix, load_matrix
from cogn.resolver.nvidia import is_such, reference_for
from cogn.resolver.project import Project
from cogn.resolver.root import SETTINGS_NAME
from cogn.store.registry import Reference
from cogn.store.uv import Target

__all__ = ["cuda_in_image", "gpu_request", "nvidia_image", "wanted_python"]

_INDEX_SETTINGS = frozenset(
    ("extra-index-url", "find-links", "index", "index-url", "no-index", "torch-backend")
)
"""Keys of uv's own settings that say where packages come from."""


def gpu_request(project: Project, target: Target) -> GpuRequest:
    """Return what `project` says about its GPU, for a platform and a Python."""
    build, settings = project.config.build, project.settings
    requirements = [Requirement(line) for line in project.requirements.stated]
    own = project.uv_settings
    pip = own.get("pip")
    environment = cast("dict[str, str]", target.environment)
    named = own.keys() | (pip.keys() if isinstance(pip, dict) else set())
    return GpuRequest(
        gpu=build.gpu,
        cuda=build.cuda,
        cudnn=build.cudnn,
        python=target.python,
        requirements=[
            each
            for each in requirements
            if each.marker is None or each.marker.evaluate(environment)
        ],
        names_indexes=project.requirements.names_places or bool(_INDEX_SETTINGS & named),
        torch_backend=settings.torch_backend,
        brings_own=settings.base is not None,
        targets=Targets(settings.gpus, settings.driver),
        where=lambda key: project.file.where(tuple(key.split("."))),
    )


def wanted_python(project: Project, platform: Platform) -> tuple[str, str | None]:
    """Return the Python to take, minor or full, and why it is another one than Cog's default.

    cog.yaml decides. Where it does not say, and a pinned framework has no wheel for the default, it
    is the newest one that has.
    """
    build = project.config.build
    if "python_version" in build.model_fields_set:
        return build.python_version, None
    request = gpu_request(project, Target(build.python_minor, platform))
    fitting = fitting_python(request, platform, load_matrix())
    return fitting or (build.python_version, None)


def nvidia_image(
    choice: CudaChoice,
    project: Project,
    target: Target,
    matrix: Matrix,
    locked: Base | None = None,
) -> tuple[Reference, str] | None:
    """Return which of NVIDIA's images is the base, and why; None for cogn's own base.

    The one of `locked` stays if it is such an image, though there may be a newer one. That of the
    Ubuntu whose own Python is the wanted one comes first. Raises `CudaError` when there
    is none with the CUDA that is needed, or cogn.toml asks for a base without any.
    """
    settings = project.settings
    flavour, needed = settings.flavour, choice.system
    if settings.image is not None or (flavour is None and needed is None):
        return None
    if flavour is None and {"base", "shell", "suite"} & settings.model_fields_set:
        assert needed is not None
        raise CudaError(
            f"the base that cogn.toml asks for has no CUDA: {needed.reason}",
            where=Where(SETTINGS_NAME, key="base"),
            hint='set `base = "nvidia-runtime"`, or require packages that bring CUDA',
        )
    if needed is not None:
        cuda, cudnn, reason = needed.version, needed.cudnn, needed.reason
    elif choice.wheels is not None:
        cuda, cudnn = choice.wheels.version, False
        reason = "the base that cogn.toml names, with the CUDA that the wheels have"
    else:
        newest = matrix.nvidia.images[0].cuda
        cuda, cudnn = project.config.build.cuda or newest, False
        reason = "the base that cogn.toml names"
    kind = flavour or "runtime"
    if kind == "base":
        cudnn = False  # it has no libraries at all
    own = [
        release.version
        for release in matrix.releases.values()
        if release.distribution == "ubuntu" and release.python == target.python
    ]
    fitting = [each for each in own if matrix.nvidia.tag(cuda, kind, cudnn=cudnn, ubuntu=each)]
    ubuntu = fitting[0] if fitting else None
    if isinstance(locked, ImageBase) and is_such(
        locked.reference, kind, cuda, cudnn=cudnn, ubuntu=ubuntu, matrix=matrix
    ):
        return Reference.parse(locked.reference), reason
    try:
        return reference_for(kind, cuda, cudnn=cudnn, ubuntu=ubuntu, matrix=matrix), reason
    except CudaError as error:
        if flavour is None:
            error.where = project.file.where(("build", "gpu"))
        if needed is not None and needed.advice is not None:
            error.hint = f"require `{needed.advice}`, which brings it; or {error.hint}"
        raise


def cuda_in_image(base: Base, choice: CudaChoice, matrix: Matrix) -> Cuda:
    """Return the CUDA that a base brings, by the variables of its configuration.

    Raises `CudaError` for a base that does not say, because it most likely has none.
    """
    own = base.environment if isinstance(base, ImageBase) else ()
    variables = dict(each.split("=", 1) for each in own)
    version = variables.get("CUDA_VERSION", "")
    major, _, rest = version.partition(".")
    if not (major.isdecimal() and rest):
        raise CudaError(
            "the model asks for a GPU, and neither its packages nor its base bring CUDA",
            where=Where(SETTINGS_NAME, key="base"),
            hint='require packages that do, or set `base = "nvidia-runtime"`',
        )
    driver = matrix.drivers.get(int(major))
    if driver is None:
        raise CudaError(
            f"the base has CUDA {version}, which cogn does not know yet",
            where=Where(SETTINGS_NAME, key="base"),
            hint="use a newer cogn, or an older base",
        )
    reasons = [f"the base brings it: CUDA {version}"]
    if choice.system is not None:
        reasons.append(choice.system.reason)
    reasons.append(f"any CUDA {major} runs with driver {driver} or newer")
    return Cuda(
        version=f"{major}.{rest.partition('.')[0]}",
        cudnn=variables.get("NV_CUDNN_VERSION", "").partition("-")[0] or None,
        driver=driver,
        provider="base",
        reasons=tuple(reasons),
    )
