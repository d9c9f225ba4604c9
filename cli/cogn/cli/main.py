"""The `cogn` command. Commands import what they need when they run: `cogn --help` stays quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogn.cli.output import show_error
from cogn.report import CognError

if TYPE_CHECKING:
    from cogn.layers import Compression
    from cogn.lockfiles import Platform

__all__ = ["assemble", "cache", "cache_dir", "cache_info", "cache_prune", "cogn", "lock", "main"]

_DIRECTORY = click.argument(
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    metavar="[DIR]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogn-build", prog_name="cogn")
def cogn() -> None:
    """Package Cog models as OCI images: no Docker, no root, the same bytes everywhere."""


@cogn.command()
@_DIRECTORY
@click.option("--upgrade", "-U", is_flag=True, help="Take the newest versions that fit.")
@click.option(
    "--platform",
    type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="The platform of the image.  [default: the lock's, else linux/amd64]",
)
def lock(directory: Path, *, upgrade: bool, platform: Platform | None) -> None:
    """Pin all that the image of the model in DIR will contain, in `cogn.lock`."""
    from cogn.cli.lock import run

    run(directory, upgrade=upgrade, platform=platform)


@cogn.command()
@_DIRECTORY
@click.option(
    "--output",
    "-o",
    metavar="DEST",
    help="`oci:DIRECTORY[:TAG]` or `oci-archive:FILE`.  [default: oci:.cogn/image in DIR]",
)
@click.option("--push", metavar="REF", help="Push to a registry: `host/repository:tag`.")
@click.option("--frozen", is_flag=True, help="Fail rather than record new layers in the lock.")
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd"]),
    default="gzip",
    show_default=True,
    help="zstd takes longer to make and is quicker to pull, where it is known.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Build so many layers at once.  [default: the number of processors]",
)
def assemble(
    directory: Path,
    *,
    output: str | None,
    push: str | None,
    frozen: bool,
    compression: Compression,
    jobs: int | None,
) -> None:
    """Write the image that `cogn.lock` describes; print its digest."""
    from cogn.cli.assemble import Options, run

    options = Options(output=output, push=push, frozen=frozen, compression=compression, jobs=jobs)
    click.echo(run(directory, options))


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
