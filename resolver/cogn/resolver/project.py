"""A project: the directory with a cog.yaml, and everything in it that decides what a lock holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cogn.lockfiles import FORMAT
from cogn.report import CognError, ProblemsError, Reporter
from cogn.resolver.brief import Brief
from cogn.resolver.config import Config, read_config
from cogn.resolver.requirements import Requirements, list_requirements, read_requirements
from cogn.resolver.root import CONFIG_NAME, SETTINGS_NAME, find_root
from cogn.resolver.settings import DEFAULT_SUITE, Settings, read_settings
from cogn.resolver.support import unsupported
from cogn.resolver.textfile import read_toml
from cogn.resolver.wanted import WantedPackage, parse_wanted
from cogn.resolver.yamlfile import YamlFile

__all__ = ["Project"]


@dataclass(frozen=True, slots=True)
class Project:
    """A project whose files were read and checked. Make it with `Project.load`."""

    directory: Path
    config: Config
    settings: Settings
    requirements: Requirements
    file: YamlFile
    """cog.yaml as it was read: it knows where its values stand."""
    system_packages: tuple[WantedPackage, ...]
    """What ``build.system_packages`` asks for, sorted."""
    uv_settings: dict[str, Any]
    """The project's own configuration of uv."""

    @classmethod
    def load(cls, directory: Path, reporter: Reporter | None = None) -> Self:
        """Return the project of the first cog.yaml in `directory` or above it, as Cog does.

        Warns of what Cog ignores or cogn leaves out. Raises `ProjectError` when there is no
        project, the errors of `read_config` and `read_settings`, and then, all in one
        `ProblemsError`, what is not supported and what is wrong with the requirements.
        """
        reporter = reporter or Reporter()
        root = find_root(directory)
        config, file = read_config(root / CONFIG_NAME, reporter)
        settings = read_settings(root / SETTINGS_NAME)
        _note_deprecated(config, file, reporter)
        problems: list[CognError] = list(unsupported(config, file))
        system_packages, faults = _system_packages(config, file)
        problems += faults
        requirements = Requirements()
        try:
            requirements = _requirements(root, config, settings, file, reporter)
        except CognError as error:
            problems += error.problems
        ProblemsError.raise_if_any(problems)
        return cls(
            directory=root,
            config=config,
            settings=settings,
            requirements=requirements,
            file=file,
            system_packages=system_packages,
            uv_settings=_uv_settings(root),
        )

    @property
    def brief(self) -> Brief:
        """What assembling needs of the project."""
        return Brief(
            predictor=self.config.predictor,
            train=self.config.train,
            gpu=self.config.build.gpu,
            bytecode=self.settings.bytecode,
            environment=self.config.variables | self._slots,
            config=self.config.model_dump(mode="json", exclude_defaults=True),
            repository=self.config.repository,
            mirrors=self.settings.archives.mirrors,
            registries=self.settings.registry_tables,
            inputs=self.inputs_digest,
            origins=self.requirements.origins,
        )

    @property
    def _slots(self) -> dict[str, str]:
        """What tells the server how many predictions to make at once, as in Cog's images."""
        most = self.config.concurrency.max
        return {"COG_MAX_CONCURRENCY": str(most)} if most > 1 else {}

    @property
    def inputs_digest(self) -> str:
        """The digest of what decides the content of a lock, whatever its platforms.

        What an image takes from cog.yaml itself, such as the environment, is not part of it, nor
        are mirrors, comments, or the way in which lines end.
        """
        inputs = {
            "format": FORMAT,
            "python": self.config.build.python_version,
            "gpu": self.config.build.gpu,
            "uv": self.uv_settings,
        }
        inputs |= self.requirements.inputs
        inputs |= self._system_inputs
        canonical = json.dumps(
            inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str
        )
        return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"

    @property
    def _system_inputs(self) -> dict[str, Any]:
        """What decides the packages of the system, without what is as it is by default."""
        settings = self.settings
        inputs: dict[str, Any] = {
            "base": str(settings.image) if settings.image else settings.base,
            "python_source": settings.python,
            "suite": settings.suite if settings.suite != DEFAULT_SUITE else None,
            "shell": None if settings.shell else False,
            "system_packages": list(map(str, self.system_packages)) or None,
            "recommends": True if settings.recommends and self.system_packages else None,
            "allow_unrun": settings.allow_unrun or None,
            "snapshot": settings.archives.snapshot,
            **self._gpu_inputs,
        }
        return {key: value for key, value in inputs.items() if value is not None}

    @property
    def _gpu_inputs(self) -> dict[str, Any]:
        build, settings = self.config.build, self.settings
        inputs: dict[str, Any] = {"torch_backend": settings.torch_backend}
        if build.gpu:
            inputs |= {
                "cuda": build.cuda,
                "cudnn": build.cudnn,
                "gpus": settings.gpus or None,
                "driver": settings.driver,
            }
        return inputs


def _note_deprecated(config: Config, file: YamlFile, reporter: Reporter) -> None:
    for key, value, instead in (
        (("predict",), config.predict, "run"),
        (("build", "python_packages"), config.build.python_packages, "build.python_requirements"),
    ):
        if value:
            reporter.note(f"{file.where(key)}: deprecated, Cog prefers `{instead}`")
    if config.build.sdk_version:
        where = file.where(("build", "sdk_version"))
        reporter.warn(f"{where}: has no effect, the image has cogn's own `cog` package")


def _requirements(
    directory: Path, config: Config, settings: Settings, file: YamlFile, reporter: Reporter
) -> Requirements:
    build, builds = config.build, settings.build_sdists
    if name := build.python_requirements:
        where = file.where(("build", "python_requirements"))
        return read_requirements(directory, name, where, reporter, build_sdists=builds)
    packages = build.python_packages
    wheres = [file.where(("build", "python_packages", index)) for index in range(len(packages))]
    return list_requirements(directory, packages, wheres, reporter, build_sdists=builds)


def _system_packages(
    config: Config, file: YamlFile
) -> tuple[tuple[WantedPackage, ...], list[CognError]]:
    entries = config.build.system_packages
    wheres = [file.where(("build", "system_packages", index)) for index in range(len(entries))]
    return parse_wanted(entries, wheres)


def _uv_settings(directory: Path) -> dict[str, Any]:
    """Return uv's settings in the directory: ``uv.toml`` or, without one, ``pyproject.toml``."""
    if (settings := read_toml(directory / "uv.toml")) is not None:
        return settings
    settings = read_toml(directory / "pyproject.toml") or {}
    for key in ("tool", "uv"):
        settings = settings.get(key, {})
    return settings
