"""An image of a registry as the base: which one it is, and what of a system it has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cogn.lockfiles import Archive, BaseLayer, Deb, ImageBase, Platform
from cogn.report import Reporter, Where
from cogn.resolver.errors import ResolveError
from cogn.resolver.root import SETTINGS_NAME
from cogn.store import Cache
from cogn.store.debian import Package, parse_installed
from cogn.store.images import ImageSource, RegistryImage, Rootfs, RootfsReader, find_image
from cogn.store.registry import Reference, Registries

__all__ = ["RELEASE", "BaseImage", "FoundImage"]

RELEASE = "trixie"
"""The code name of the Debian release that bases are made of."""

_MOST_LAYERS = 50
"""The model's layers need the rest of what an image may have."""

_OWN_PYTHON = ("usr/bin/python3.13", "usr/local/bin/python", "usr/local/bin/python3")
"""Where images have a Python, ours included."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that can be a base, with the packages that are installed in it."""

    reference: str
    image: RegistryImage
    rootfs: str
    packages: Sequence[Package]

    def base(
        self, archives: tuple[Archive, ...], debs: tuple[Deb, ...], interpreter: tuple[Deb, ...]
    ) -> ImageBase:
        """Return what the lock says: the image, and the packages around it."""
        return ImageBase(
            reference=self.reference,
            index=self.image.index,
            manifest=self.image.manifest,
            rootfs=self.rootfs,
            release=RELEASE,
            reason=f"the base that {SETTINGS_NAME} names",
            environment=self.image.environment,
            layers=tuple(
                BaseLayer(
                    digest=layer.digest,
                    diff_id=layer.diff_id,
                    size=layer.size,
                    media_type=layer.media_type,  # type: ignore[arg-type]  # one of these, checked
                )
                for layer in self.image.layers
            ),
            archives=archives,
            debs=debs,
            interpreter=interpreter,
        )


class BaseImage:
    """The image that a project asks for as its base."""

    def __init__(
        self, reference: Reference, registries: Registries, cache: Cache, reporter: Reporter
    ) -> None:
        self._reference = reference
        self._registries = registries
        self._cache = cache
        self._reporter = reporter

    @property
    def name(self) -> str:
        """The reference in full, without a digest."""
        return str(replace(self._reference, digest=None))

    def is_locked(self, base: ImageBase) -> bool:
        """Tell whether `base` is what the project asks for; a tag may have moved since."""
        wanted = self._reference.digest
        return base.reference == self.name and wanted in {None, base.index, base.manifest}

    async def find(
        self, platform: Platform, locked: ImageBase | None, *, upgrade: bool
    ) -> FoundImage:
        """Return the image for a platform: the one of `locked`, unless `upgrade` is asked for.

        Raises `ResolveError` for a system that nothing can be put on, and what `find_image` and
        `RootfsReader.read` raise.
        """
        same = locked is not None and self.is_locked(locked)
        reference = self._reference
        if locked is not None and same and not upgrade:
            reference = replace(reference, digest=locked.index or locked.manifest)
        source = ImageSource(reference, self._registries, self._reporter)
        image = await find_image(source, platform, most_layers=_MOST_LAYERS)
        if locked is not None and same and image.manifest != locked.manifest:
            self._reporter.note(
                f"`{self.name}` is another image now: {locked.manifest} -> {image.manifest}"
            )
        reader = RootfsReader(self._cache)
        digest, rootfs = await reader.read(image.manifest, image.layers, source)
        self._check(rootfs)
        packages = tuple(parse_installed(rootfs.stanzas, platform.partition("/")[2]))
        if not packages:
            raise self._error("it has no list of Debian packages")
        return FoundImage(self.name, image, digest, packages)

    def _check(self, rootfs: Rootfs) -> None:
        """Raise `ResolveError` unless the system is one that cogn knows how to complete."""
        release = rootfs.release
        name = release.get("PRETTY_NAME") or release.get("ID") or "a system without os-release"
        if (release.get("ID"), release.get("VERSION_CODENAME")) != ("debian", RELEASE):
            raise self._error(f"it is {name[:80]}, and cogn knows Debian {RELEASE} alone so far")
        for path in _OWN_PYTHON:
            if rootfs.has(path):
                raise self._error(
                    f"it has a Python of its own, `/{path}`, in the place of the one cogn brings"
                )

    def _error(self, what: str) -> ResolveError:
        return ResolveError(
            f"`{self.name}` cannot be the base: {what}",
            where=Where(SETTINGS_NAME, key="base"),
            hint="name another image, such as `debian:trixie-slim` or one made from it",
        )
