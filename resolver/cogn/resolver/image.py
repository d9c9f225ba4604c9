"""An image of a registry as the base: which one it is, and what of a system it has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cogn.lockfiles import Archive, BaseLayer, Deb, ImageBase, Platform
from cogn.report import Reporter, Where
from cogn.resolver.errors import ResolveError
from cogn.resolver.nvidia import REMOVES, nearest_tag
from cogn.resolver.releases import Release
from cogn.resolver.root import SETTINGS_NAME
from cogn.store import Cache
from cogn.store.debian import Package, parse_installed
from cogn.store.errors import AbsentError
from cogn.store.images import (
    ImageLayer,
    ImageSource,
    Metadata,
    RegistryImage,
    Rootfs,
    RootfsReader,
    find_image,
    is_there,
    still_there,
)
from cogn.store.registry import Reference, Registries

__all__ = ["BaseImage", "FoundImage"]

_MOST_LAYERS = 50
"""The model's layers need the rest of what an image may have."""

_OTHER_PYTHONS = ("usr/local/bin/python", "usr/local/bin/python3")
"""Where images have a Python that is not their distribution's, and the model has its links."""

_SHELLS = ("bin/sh", "usr/bin/sh")
_PLAIN = ("opt", "opt/cogn", "src")
"""Directories that layers write into, whatever the base: there has to be nothing special there."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that can be a base, with the packages that are installed in it."""

    reference: str
    image: RegistryImage
    rootfs_digest: str
    rootfs: Rootfs
    packages: Sequence[Package]
    release: Release
    reason: str
    """Why it is the base."""

    @property
    def has_shell(self) -> bool:
        """Whether scripts can be run in it."""
        return any(map(self.rootfs.has, _SHELLS))

    def check_python(self, minor: str) -> None:
        """Raise `ResolveError` when the distribution's Python `minor` cannot be the model's."""
        self._check_plain(f"usr/local/lib/python{minor}")
        own = f"usr/bin/python{minor}"
        packages = {package.name for package in self.packages}
        if self.rootfs.has(own) and f"python{minor}-minimal" not in packages:
            raise ResolveError(
                f"`{self.reference}` cannot be the base of a model with its Python: "
                f"`/{own}` is of no package",
                where=Where(SETTINGS_NAME, key="base"),
                hint='set `python = "standalone"`, which brings another, or name another image',
            )

    def check(self) -> None:
        """Raise `ResolveError` when something is where the model's own files go."""
        for path in _OTHER_PYTHONS:
            if self.rootfs.has(path):
                raise _image_error(
                    self.reference,
                    f"it has a Python of its own, `/{path}`, in the place of the one cogn brings",
                )
        for path in _PLAIN:
            self._check_plain(path)

    def _check_plain(self, path: str) -> None:
        """Refuse anything but a directory as a runtime makes it, or nothing."""
        metadata = self.rootfs.directories.get(path)
        if self.rootfs.has(path) and metadata != Metadata():
            found = (
                "no directory"
                if metadata is None
                else f"of mode {metadata.mode:o}, owned by {metadata.uid}:{metadata.gid}"
            )
            raise _image_error(
                self.reference, f"`/{path}`, where files of the model go, is {found} in it"
            )

    def base(
        self,
        archives: tuple[Archive, ...],
        debs: tuple[Deb, ...],
        interpreter: tuple[Deb, ...],
        remark: str,
    ) -> ImageBase:
        """Return what the lock says: the image, and the packages around it."""
        return ImageBase(
            reference=self.reference,
            index=self.image.index,
            manifest=self.image.manifest,
            rootfs=self.rootfs_digest,
            release=self.release.codename,
            reason=f"{self.reason}{remark}",
            environment=self.image.environment,
            labels=self.image.labels,
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
    """The image that a model's is to start from; `reason` says why it does, for the lock."""

    def __init__(
        self,
        reference: Reference,
        registries: Registries,
        cache: Cache,
        reporter: Reporter,
        *,
        reason: str = f"the base that {SETTINGS_NAME} names",
    ) -> None:
        self._reference = reference
        self._reason = reason
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

        The registry is not asked about an image that is locked, nor for layers that this machine
        has read: it may have lost both. Raises `ResolveError` for an image that is gone or that
        nothing can be put on, and what `find_image` and `RootfsReader.read` raise.
        """
        kept = locked if locked is not None and self.is_locked(locked) else None
        reference = self._reference
        if kept is not None and not upgrade:
            reference = replace(reference, digest=kept.manifest)
        source = ImageSource(reference, self._registries, self._reporter)
        try:
            if kept is not None and not upgrade:
                image = _as_locked(kept)
            else:
                image = await find_image(source, platform, most_layers=_MOST_LAYERS)
            reader = RootfsReader(self._cache)
            digest, rootfs = await reader.read(image.manifest, image.layers, source)
        except AbsentError as error:
            raise await self._gone(error, kept, upgrade=upgrade) from error
        if kept is not None and image.manifest != kept.manifest:
            self._reporter.note(
                f"`{self.name}` is another image now: {kept.manifest} -> {image.manifest}"
            )
        found = FoundImage(
            reference=self.name,
            image=image,
            rootfs_digest=digest,
            rootfs=rootfs,
            packages=tuple(parse_installed(rootfs.stanzas, platform.partition("/")[2])),
            release=self._release(rootfs),
            reason=self._reason,
        )
        found.check()
        if not found.packages:
            raise _image_error(self.name, "it has no list of Debian packages")
        return found

    async def _gone(
        self, error: AbsentError, kept: ImageBase | None, *, upgrade: bool
    ) -> ResolveError:
        """Return the error for an image that the registry does not have, with all ways out."""
        message, advice = error.message, []
        if (tag := nearest_tag(self._reference)) is not None:
            message += f"; {REMOVES}"
            near = replace(self._reference, tag=tag, digest=None)
            if await is_there(ImageSource(near, self._registries, self._reporter)):
                advice.append(f'write `base = "{near}"`, the nearest that is there')
        if kept is not None and upgrade:
            advice.append("run `cogn lock` without `--upgrade`, which keeps the one of the lock")
        elif kept is not None:
            advice.append(still_there(self._reference, kept.layers, self._cache))
        where = Where(SETTINGS_NAME, key="base")
        return ResolveError(message, where=where, hint="; or ".join(advice) or None)

    def _release(self, rootfs: Rootfs) -> Release:
        """Return the release that the image is of; raises `ResolveError` for an unknown one."""
        fields = rootfs.release
        release = Release(fields.get("ID", ""), fields.get("VERSION_CODENAME", ""))
        if not release.is_known:
            name = fields.get("PRETTY_NAME") or fields.get("ID") or "a system without os-release"
            raise _image_error(
                self.name, f"it is {name[:80]}, and cogn knows Debian and Ubuntu alone"
            )
        return release


def _as_locked(base: ImageBase) -> RegistryImage:
    """Return the image that a lock describes."""
    return RegistryImage(
        index=base.index,
        manifest=base.manifest,
        layers=tuple(
            ImageLayer(
                digest=layer.digest,
                diff_id=layer.diff_id,
                size=layer.size,
                media_type=layer.media_type,
            )
            for layer in base.layers
        ),
        environment=base.environment,
        labels=base.labels,
    )


def _image_error(name: str, what: str) -> ResolveError:
    """Return the error for an image that cannot be the base."""
    return ResolveError(
        f"`{name}` cannot be the base: {what}",
        where=Where(SETTINGS_NAME, key="base"),
        hint="name another image, such as `debian:trixie-slim`, `ubuntu:24.04` or one made from it",
    )
