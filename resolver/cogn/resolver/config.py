"""cog.yaml: every key that Cog knows, with Cog's own rules.

The rules are those of Cog's JSON schema and of its validation; what cogn does not do yet is another
question, which `cogn.resolver.support` answers. A null is a key left out, as in Cog.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from cogn.report import Reporter
from cogn.resolver.validation import config_error, did_you_mean, fault
from cogn.resolver.yamlfile import Key, YamlFile

__all__ = ["DEFAULT_PYTHON", "Build", "Concurrency", "Config", "read_config"]

DEFAULT_PYTHON = "3.13"
"""The Python that Cog uses when ``build.python_version`` does not say."""

_OLDEST_PYTHON = (3, 10)
_OLDEST_CUDA = 11
_REFERENCE = re.compile(r"(?P<file>[^:]+\.py):[^\W\d]\w*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_DENIED_VARIABLES = (
    *("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONUNBUFFERED"),
    *("R8_*", "REPLICATE_*", "LIBRARY_PATH", "CUDA_*", "NVIDIA_*", "NV_*"),
    *("PGET_*", "HF_ENDPOINT", "HF_HUB_ENABLE_HF_TRANSFER", "KUBERNETES_*"),
)
"""The variables that Cog keeps for itself and for the platforms that run its images."""


def _python_version(value: object) -> str:
    if isinstance(value, float) and value == 3.1:
        raise fault(
            "YAML reads `3.10` without quotes as the number 3.1",
            hint='write `python_version: "3.10"`',
        )
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise fault("expected a version such as `3.13`")
    version = str(value).strip()
    if not re.fullmatch(r"\d+(\.\d+){1,2}", version):
        raise fault(f"must include major and minor version, such as `3.13`, not `{version}`")
    if tuple(map(int, version.split(".")[:2])) < _OLDEST_PYTHON:
        raise fault(f"minimum supported Python version is 3.10, not `{version}`")
    return version


def _cuda_version(value: str) -> str:
    major, _, minor = value.partition(".")
    if not (major.isdecimal() and minor):
        raise fault(f"must include both major and minor versions, such as `12.8`, not `{value}`")
    if int(major) < _OLDEST_CUDA:
        raise fault(f"minimum supported CUDA version is {_OLDEST_CUDA}, not `{value}`")
    return value


def _reference(example: str) -> AfterValidator:
    def check(value: str) -> str:
        match = _REFERENCE.fullmatch(value)
        if match is None:
            raise fault(f"must be in the form `{example}`, not `{value}`")
        file = PurePosixPath(match["file"])
        if file.is_absolute() or ".." in file.parts:
            raise fault(f"`{file}` is outside the project's directory")
        return value

    return AfterValidator(check)


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise fault(f"`{value}` is not in the form `NAME=value`")
    name = value.partition("=")[0]
    if any(fnmatchcase(name, pattern) for pattern in _DENIED_VARIABLES):
        raise fault(
            f"environment variable `{name}` is not allowed",
            hint="it belongs to the image or to the platform that runs it",
        )
    return value


def _variables(value: tuple[str, ...]) -> tuple[str, ...]:
    counts = Counter(variable.partition("=")[0] for variable in value)
    for name, count in counts.items():
        if count > 1:
            raise fault(f"environment variable `{name}` is already defined")
    return value


def _repository(value: str) -> str:
    if "@" in value or ":" in value.rpartition("/")[2]:
        raise fault(f"must be a repository without tag or digest, not `{value}`")
    return value


def _at_least_one(value: int) -> int:
    if value < 1:
        raise fault(f"must be at least 1, not `{value}`")
    return value


_Strings = Annotated[tuple[str, ...], Field(strict=False)]
_Anything = Annotated[tuple[Any, ...], Field(strict=False)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Build(_Model):
    """The key ``build``."""

    python_version: Annotated[str, BeforeValidator(_python_version)] = DEFAULT_PYTHON
    gpu: bool = False
    cuda: Annotated[str, AfterValidator(_cuda_version)] | None = None
    cudnn: str | None = None
    python_requirements: str | None = None
    python_packages: _Strings = ()
    system_packages: _Strings = ()
    run: _Anything = ()
    pre_install: _Strings = ()
    sdk_version: str | None = None

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.python_packages and self.python_requirements:
            raise fault(
                "only one of python_packages or python_requirements can be set, not both",
                hint="move the packages into the requirements file",
            )
        return self

    @property
    def python_minor(self) -> str:
        """The minor version of Python, such as ``3.13``."""
        return ".".join(self.python_version.split(".")[:2])


class Concurrency(_Model):
    """The key ``concurrency``."""

    max: Annotated[int, AfterValidator(_at_least_one)] = 1
    default_target: int | None = None


class Config(_Model):
    """What a cog.yaml says. Make it with `read_config`."""

    run: Annotated[str, _reference("run.py:Runner")] | None = None
    predict: Annotated[str, _reference("predict.py:Predictor")] | None = None
    train: Annotated[str, _reference("train.py:train")] | None = None
    image: str | None = None
    model: Annotated[str, AfterValidator(_repository)] | None = None
    environment: Annotated[
        tuple[Annotated[str, AfterValidator(_variable)], ...],
        Field(strict=False),
        AfterValidator(_variables),
    ] = ()
    concurrency: Concurrency = Concurrency()
    weights: _Anything = ()
    build: Build = Build()

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.run and self.predict:
            raise fault("only one of run or predict can be set")
        if not self.run and not self.predict:
            raise fault(
                "there is nothing to serve", hint="add a line such as `run: predict.py:Predictor`"
            )
        if self.image and self.model:
            raise fault("only one of image or model can be set")
        return self

    @property
    def predictor(self) -> str:
        """What the image serves, ``file.py:Name``: the value of ``run`` or ``predict``."""
        return self.run or self.predict or ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by name."""
        return dict(variable.split("=", 1) for variable in self.environment)

    @property
    def repository(self) -> str | None:
        """Where the image goes when nothing else is said: ``image`` or ``model``."""
        return self.image or self.model


def read_config(path: Path, reporter: Reporter) -> tuple[Config, YamlFile]:
    """Return what the file says, and its text's places for later messages.

    Warns about keys that Cog does not know. Raises what `YamlFile.read` raises, `ConfigError` for
    a mistake and `ProblemsError` for several.
    """
    file = YamlFile.read(path)
    for key, hint in _unknown_keys(file.data):
        reporter.warn(f"{file.where(key)}: Cog knows no such key and ignores it", hint=hint)
    try:
        config = Config.model_validate(_without_nulls(file.data))
    except ValidationError as error:
        raise config_error(error, file.where) from error
    return config, file


def _without_nulls(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if value is not None
    }


def _unknown_keys(data: dict[str, Any]) -> Iterator[tuple[Key, str | None]]:
    """Yield the keys that Cog does not know, each with a hint."""
    for name, value in data.items():
        if name not in Config.model_fields:
            yield (str(name),), _nearest(str(name))
        elif (model := _TABLES.get(name)) and isinstance(value, dict):
            for inner in value:
                if inner not in model.model_fields:
                    yield (name, str(inner)), _nearest(str(inner))


def _nearest(name: str) -> str | None:
    for table, model in _TABLES.items():
        if name in model.model_fields:
            return f"did you mean `{table}.{name}`?"
    return did_you_mean(name, [*Config.model_fields, *Build.model_fields])


_TABLES: dict[str, type[BaseModel]] = {"build": Build, "concurrency": Concurrency}
