"""The `cogn` command. Commands import what they need when they run: `cogn --help` stays quick."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from cogn.cli.output import show_error
from cogn.cli.upgrading import LockCommand, Moment, PackageName
from cogn.report import CognError

if TYPE_CHECKING:
    from cogn.layers import Compression
    from cogn.layers.load import EngineName
    from cogn.lockfiles import Platform

__all__ = [
    "assemble",
    "cache",
    "cache_dir",
    "cache_info",
    "cache_prune",
    "cogn",
    "inspect",
    "lock",
    "login",
    "logout",
    "main",
    "schema",
    "vendor",
]

_Command = TypeVar("_Command", bound=Callable[..., None])

_DIRECTORY = click.argument(
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    metavar="[DIR]",
)
_PLATFORM = click.Choice(["linux/amd64", "linux/arm64"])


def _platforms(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the platforms that lists of them name, each once, sorted."""
    names = {name for value in values for name in value.split(",")}
    return tuple(_PLATFORM.convert(name, parameter, context) for name in sorted(names))


def _labels(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Return the labels by key; the later of two stays, as with Docker."""
    labels = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"`{value}` is not KEY=VALUE", context, parameter)
        if key.startswith(("run.cog.", "run.cogn.")):
            raise click.BadParameter(f"`{key}` is cogn's to set", context, parameter)
        labels[key] = text
    return labels


def _platform_option(text: str, *, default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--platform",
        "platforms",
        multiple=True,
        callback=_platforms,
        metavar="PLATFORM[,...]",
        help=f"{text}: `linux/amd64`, `linux/arm64` or both.  [default: {default}]",
    )


_OFFLINE = click.option(
    "--offline",
    is_flag=True,
    envvar="COGN_OFFLINE",
    show_envvar=True,
    help="Open no connection: take all from caches, and say what they lack.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogn-build", prog_name="cogn")
def cogn() -> None:
    """Package Cog models as OCI images: no Docker, no root, the same bytes everywhere."""


@cogn.command(cls=LockCommand)
@_DIRECTORY
@click.option(
    "--upgrade",
    "-U",
    is_flag=True,
    help="Take the newest versions that fit; with `--upgrade=NAME`, which may be given several "
    "times, of that Python package alone.",
)
@click.option("--upgrade-only", type=PackageName(), multiple=True, hidden=True, metavar="NAME")
@click.option(
    "--exclude-newer",
    type=Moment(),
    metavar="DATE",
    help="Leave out Python packages that came on that day or later, such as `2026-09-01`.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail, with the reason, unless it is current."
)
@click.option("--explain", is_flag=True, help="Print what was chosen, and why.")
@_platform_option("What the lock is for", default="the lock's, else linux/amd64")
@_OFFLINE
def lock(
    directory: Path,
    *,
    upgrade: bool,
    upgrade_only: tuple[str, ...],
    exclude_newer: str | None,
    check: bool,
    explain: bool,
    platforms: tuple[Platform, ...],
    offline: bool,
) -> None:
    """Pin all that the image of the model in DIR will contain, in `cogn.lock`."""
    from cogn.cli.lock import Options, run
    from cogn.cli.lock import check as check_lock

    if check:
        if upgrade or upgrade_only or exclude_newer:
            raise click.UsageError(
                "--check changes nothing, and --upgrade or --exclude-newer would"
            )
        check_lock(directory, platforms)
        return
    options = Options(
        upgrade=upgrade,
        upgrade_only=frozenset(upgrade_only),
        exclude_newer=exclude_newer,
        platforms=platforms,
        offline=offline,
    )
    locked = run(directory, options)
    if explain:
        from cogn.cli.explain import explained

        click.echo(explained(locked))


@cogn.command()
@_DIRECTORY
@click.option(
    "--output",
    "-o",
    metavar="DEST",
    help="`oci:DIRECTORY[:TAG]`, `oci-archive:FILE` or `docker-archive:FILE[:NAME[:TAG]]`.  "
    "[default: oci:.cogn/image in DIR]",
)
@click.option("--push", metavar="REF", help="Push to a registry: `host/repository:tag`.")
@click.option(
    "--blob-repo",
    metavar="REPOSITORY",
    help="Keep large layers in this repository of the registry, and mount them from there.",
)
@click.option(
    "--sparse",
    is_flag=True,
    help="Leave the layers of the base image out of the OCI layout.",
)
@click.option("--load", is_flag=True, help="Load the image into docker or podman.")
@click.option(
    "--engine",
    type=click.Choice(["docker", "podman"]),
    help="Load it into this one.  [default: docker if its engine answers, else podman]",
)
@_platform_option("What to make images for, with an index of several", default="all of the lock")
@click.option("--frozen", is_flag=True, help="Fail rather than record new layers in the lock.")
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd"]),
    default="gzip",
    show_default=True,
    help="zstd takes longer to make and is quicker to pull, where it is known.",
)
@click.option(
    "--openapi-schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the OpenAPI document from a file, not from the source.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_labels,
    help="Add a label to the image; may be given several times.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Build so many layers at once.  [default: the number of processors]",
)
@_OFFLINE
@click.option(
    "--vendor",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="COGN_VENDOR",
    show_envvar=True,
    metavar="PATH",
    help="Look into this directory, made by `cogn vendor`, before any other place.",
)
def assemble(
    directory: Path,
    *,
    output: str | None,
    push: str | None,
    blob_repo: str | None,
    sparse: bool,
    load: bool,
    engine: EngineName | None,
    platforms: tuple[Platform, ...],
    frozen: bool,
    compression: Compression,
    openapi_schema: Path | None,
    labels: dict[str, str],
    jobs: int | None,
    offline: bool,
    vendor: Path | None,
) -> None:
    """Write the image that `cogn.lock` describes; print its digest."""
    from cogn.cli.assemble import Options, run

    options = Options(
        output=output,
        push=push,
        blob_repo=blob_repo,
        load=load or engine is not None,
        engine=engine,
        platforms=platforms,
        frozen=frozen,
        compression=compression,
        jobs=jobs,
        openapi_schema=openapi_schema,
        labels=labels,
        sparse=sparse,
        offline=offline,
        vendor=vendor,
    )
    click.echo(run(directory, options))


@cogn.command()
@click.argument("path", type=click.Path(file_okay=False, path_type=Path), metavar="PATH")
@_DIRECTORY
@_platform_option("What images are to be made for", default="all of the lock")
@_OFFLINE
def vendor(path: Path, directory: Path, *, platforms: tuple[Platform, ...], offline: bool) -> None:
    """Write all that `cogn.lock` of the model in DIR names into the directory PATH.

    With it, `cogn assemble --offline --vendor PATH` makes the image on a machine without a network.
    """
    from cogn.cli.vendor import run

    run(path, directory, platforms=platforms, offline=offline)


@cogn.command()
@_DIRECTORY
def schema(directory: Path) -> None:
    """Print the OpenAPI document of the model in DIR, made from its source."""
    from cogn.cli.schema import schema as document

    click.echo(document(directory))


@cogn.command()
@click.argument("reference", metavar="REF")
@click.option("--lock", "lock_only", is_flag=True, help="Print the lock that is kept with it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes are in bytes.")
def inspect(reference: str, *, lock_only: bool, as_json: bool) -> None:
    """Print what the image REF in a registry is made of."""
    from cogn.cli.inspect import show_image, show_lock

    if lock_only:
        show_lock(reference)
    else:
        show_image(reference, as_json=as_json)


@cogn.command()
@click.argument("host")
@click.option("--username", "-u", metavar="NAME", help="Asked for when it is not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin.")
def login(host: str, *, username: str | None, password_stdin: bool) -> None:
    """Keep the password for the registry HOST, once it was found to be right.

    It is kept where Docker and podman find it too. The username `<token>` says that the password
    is an identity token.
    """
    from cogn.cli.login import login, read_password

    login(host, username, read_password() if password_stdin else None)


@cogn.command()
@click.argument("host")
def logout(host: str) -> None:
    """Remove the password for the registry HOST."""
    from cogn.cli.login import logout

    logout(host)


@cogn.group()
def cache() -> None:
    """Look into the cache that all projects share, or make room in it."""


@cache.command("dir")
def cache_dir() -> None:
    """Print where the cache is."""
    from cogn.cli.cache import show_directory

    show_directory()


@cache.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes are in bytes.")
def cache_info(*, as_json: bool) -> None:
    """Print how much the cache holds, by kind."""
    from cogn.cli.cache import show_info

    show_info(as_json=as_json)


@cache.command("prune")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Remove what was not used for so long.",
)
@click.option("--all", "everything", is_flag=True, help="Remove everything.")
def cache_prune(*, days: float, everything: bool) -> None:
    """Remove what was not used lately; it is fetched or made again when it is needed."""
    from cogn.cli.cache import remove_unused

    remove_unused(days=0 if everything else days)


def main() -> None:
    """Run the command line; exit with 0, with 1 after an error, with 2 after wrong usage."""
    try:
        cogn()
    except CognError as error:
        show_error(error)
        sys.exit(1)
    finally:
        # What is left goes with the process; to collect it takes as long as a small command.
        gc.freeze()
