"""`cogn cache`: where the cache is, what it holds, making room in it."""

from __future__ import annotations

import json

import click

from cogn import layers
from cogn.cli.output import say
from cogn.store import Cache
from cogn.store.cache import DAY
from cogn.store.prune import prune, stored_blobs, stored_notes

__all__ = ["remove_unused", "show_directory", "show_info"]


def show_directory() -> None:
    """Print the path of the cache."""
    click.echo(Cache().root)


def show_info(*, as_json: bool) -> None:
    """Print count and size of what the cache holds, by kind."""
    cache = Cache()
    made = layers.LayerNotes(cache).blobs()
    sizes: dict[str, list[int]] = {"inputs": [], "layers": [], "notes": []}
    for blob in stored_blobs(cache):
        sizes["layers" if blob.name in made else "inputs"].append(blob.size)
    sizes["notes"] += (note.size for note in stored_notes(cache))
    if as_json:
        kinds = {kind: {"count": len(of), "size": sum(of)} for kind, of in sizes.items()}
        click.echo(json.dumps({"directory": str(cache.root)} | kinds, indent=2))
        return
    click.echo(cache.root)
    for kind, of in sizes.items():
        click.echo(f"{kind:<6} {len(of):>6} files {sum(of) / 1e6:>10.1f} MB")


def remove_unused(*, days: float) -> None:
    """Remove what was not used for so many days, and say how much that was."""
    removed = prune(Cache(), days * DAY)
    count = "1 file" if len(removed) == 1 else f"{len(removed)} files"
    say(f"Removed {count}, {sum(each.size for each in removed) / 1e6:.1f} MB")
