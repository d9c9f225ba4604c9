"""`cogn inspect`: what an image in a registry is made of, without a checkout."""

from __future__ import annotations

import anyio
import click
import msgspec

from cogn.cli.configuration import registry_configuration
from cogn.cli.output import make_reporter, readable_size
from cogn.layers.registry import LOCK_MEDIA_TYPE
from cogn.report import Reporter
from cogn.store import RegistryError
from cogn.store.images import ImageSource, PlatformImage, list_images
from cogn.store.registry import Reference, Registries

__all__ = ["show_image", "show_lock"]


def show_image(text: str, *, as_json: bool) -> None:
    """Print the digest, and the layers for each platform; raises `RegistryError`, `ImageError`."""
    reference = Reference.parse(text)
    with make_reporter() as reporter:
        digest, images, lock = anyio.run(_read, reference, reporter)
    if as_json:
        document = {"digest": digest, "images": images, "has_lock": lock is not None}
        click.echo(msgspec.json.encode(document))
        return
    click.echo(f"{reference}\n{digest}")
    for image in images:
        size = readable_size(sum(layer.size for layer in image.layers))
        click.echo(f"\n{image.platform}  {image.digest}  {size}")
        for layer in image.layers:
            click.echo(f"  {readable_size(layer.size):>9}  {layer.digest[7:19]}  {layer.name}")
    click.echo("\nThe lock is with it: `--lock` prints it." if lock else "\nNo lock is with it.")


def show_lock(text: str) -> None:
    """Print the lock that is kept with the image; raises `RegistryError` when there is none."""
    reference = Reference.parse(text)
    with make_reporter() as reporter:
        _, _, lock = anyio.run(_read, reference, reporter)
    if lock is None:
        raise RegistryError(
            f"no lock is kept with `{reference}`",
            hint="`cogn assemble --push` sends it with the image",
        )
    click.echo(lock, nl=False)


async def _read(
    reference: Reference, reporter: Reporter
) -> tuple[str, list[PlatformImage], bytes | None]:
    async with Registries.open(registry_configuration(), reporter) as registries:
        source = ImageSource(reference, registries, reporter)
        digest, images = await list_images(source)
        return digest, images, await source.attached(digest, LOCK_MEDIA_TYPE)
