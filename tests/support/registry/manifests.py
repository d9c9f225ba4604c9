"""Manifests, tags and referrers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from support.registry.endpoints import Route
from support.registry.messages import Request, Response, failure
from support.registry.store import Manifest, Repository, Store, digest_of, is_digest

__all__ = [
    "LARGEST_MANIFEST",
    "OCI_INDEX",
    "OCI_MANIFEST",
    "Manifests",
    "descriptors",
    "unknown_blobs",
]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_MANIFESTS = frozenset({OCI_MANIFEST, f"{_DOCKER}.v2+json"})
_INDEXES = frozenset({OCI_INDEX, f"{_DOCKER}.list.v2+json"})
LARGEST_MANIFEST = 4 << 20
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class Manifests:
    """Answers requests for manifests, tags and referrers. Locations are paths."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, route: Route, request: Request) -> Response:
        """Give a manifest; the same for ``HEAD``.

        The client has to name the media type in ``Accept``: CNCF distribution does not take
        ``*/*`` for it either.
        """
        repository = self._store.existing(route.repository)
        digest = repository.tags.get(route.reference, route.reference)
        manifest = repository.manifests.get(digest)
        if manifest is None:
            return _unknown(route.reference)
        accepted = re.split(r"\s*,\s*", request.headers.get("accept", ""))
        if manifest.media_type not in {each.partition(";")[0] for each in accepted}:
            return _unknown(f"it is there, but as {manifest.media_type}")
        headers = {"Content-Type": manifest.media_type, "Docker-Content-Digest": digest}
        return Response(200, headers, manifest.data)

    def put(self, route: Route, request: Request, body: bytearray) -> Response:
        """Store a manifest if all that it names is there."""
        if len(body) > LARGEST_MANIFEST:
            return failure(413, "SIZE_INVALID", "the manifest is too large")
        media_type = request.headers.get("content-type", "")
        manifest = Manifest(media_type, bytes(body))
        digest = digest_of(body)
        if is_digest(route.reference) and route.reference != digest:
            return failure(400, "DIGEST_INVALID", "the manifest has another digest", digest)
        if not is_digest(route.reference) and not _TAG.fullmatch(route.reference):
            return failure(400, "TAG_INVALID", "the tag is not allowed", route.reference)
        try:
            problem = _problem(manifest, self._store.existing(route.repository))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _invalid(repr(error))
        if problem is not None:
            return problem
        repository = self._store.repository(route.repository)
        repository.manifests[digest] = manifest
        if route.reference != digest:
            repository.tags[route.reference] = digest
        location = f"/v2/{route.repository}/manifests/{digest}"
        response = Response(201, {"Location": location, "Docker-Content-Digest": digest})
        if (subject := manifest.document.get("subject")) is not None:
            response.headers["OCI-Subject"] = subject["digest"]
        return response

    def delete(self, route: Route) -> Response:
        """Remove a tag, or a manifest with all its tags."""
        repository = self._store.existing(route.repository)
        if repository.tags.pop(route.reference, None) is not None:
            return Response(202)
        if repository.manifests.pop(route.reference, None) is None:
            return _unknown(route.reference)
        for tag in [tag for tag, digest in repository.tags.items() if digest == route.reference]:
            del repository.tags[tag]
        return Response(202)

    def tags(self, route: Route, request: Request) -> Response:
        """List tags in order, `n` at a time if the client wants."""
        repository = self._store.repositories.get(route.repository)
        if repository is None:
            name = route.repository
            return failure(404, "NAME_UNKNOWN", "repository name not known to registry", name)
        tags = sorted(repository.tags)
        last, most = request.parameter("last"), request.parameter("n")
        if most is not None and not most.isdecimal():
            return failure(400, "PAGINATION_NUMBER_INVALID", "`n` is no number", most)
        if last is not None:
            tags = [tag for tag in tags if tag > last]
        page = tags if most is None else tags[: int(most)]
        response = Response.of_json({"name": route.repository, "tags": page})
        if page and len(page) < len(tags):
            target = f"/v2/{route.repository}/tags/list?n={most}&last={page[-1]}"
            response.headers["Link"] = f'<{target}>; rel="next"'
        return response

    def referrers(self, route: Route, request: Request) -> Response:
        """List what refers to a digest, of one artifact type if the client wants."""
        if not is_digest(route.reference):
            return failure(400, "DIGEST_INVALID", "this is no digest", route.reference)
        manifests = self._store.existing(route.repository).manifests
        found = [
            _referrer(digest, manifest)
            for digest, manifest in sorted(manifests.items())
            if manifest.document.get("subject", {}).get("digest") == route.reference
        ]
        wanted = request.parameter("artifactType")
        if wanted is not None:
            found = [each for each in found if each.get("artifactType") == wanted]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}
        response = Response.of_json(index, OCI_INDEX)
        if wanted is not None:
            response.headers["OCI-Filters-Applied"] = "artifactType"
        return response


def descriptors(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Give the descriptors of the blobs that a manifest needs; an index needs none."""
    document = manifest.document
    if manifest.media_type in _MANIFESTS:
        yield document["config"]
        # A layer with `urls` is elsewhere (a non-distributable one).
        yield from (layer for layer in document["layers"] if not layer.get("urls"))


def _problem(manifest: Manifest, repository: Repository) -> Response | None:
    """Return why a manifest is refused. Raises what reading malformed JSON raises."""
    document = manifest.document
    if manifest.media_type not in _MANIFESTS | _INDEXES:
        return _invalid(f"`{manifest.media_type}` is no manifest's Content-Type")
    if document.get("mediaType", manifest.media_type) != manifest.media_type:
        return _invalid("`mediaType` is not the Content-Type")
    if document["schemaVersion"] != 2:
        return _invalid("`schemaVersion` is not 2")
    there = {digest: len(data) for digest, data in repository.blobs.items()}
    needed = list(descriptors(manifest))
    if manifest.media_type in _INDEXES:
        there = {digest: len(each.data) for digest, each in repository.manifests.items()}
        needed = document["manifests"]
    unknown = [each["digest"] for each in needed if each["digest"] not in there]
    if unknown:
        return unknown_blobs(unknown)
    wrong = [each["digest"] for each in needed if each["size"] != there[each["digest"]]]
    return _invalid(f"the size is not that of {wrong}") if wrong else None


def unknown_blobs(digests: list[str]) -> Response:
    """Return the refusal of a manifest that names what is not there."""
    return failure(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", *digests)


def _referrer(digest: str, manifest: Manifest) -> dict[str, Any]:
    document = manifest.document
    descriptor = {
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": len(manifest.data),
        "artifactType": document.get("artifactType") or document.get("config", {}).get("mediaType"),
        "annotations": document.get("annotations"),
    }
    return {key: value for key, value in descriptor.items() if value is not None}


def _invalid(detail: str) -> Response:
    return failure(400, "MANIFEST_INVALID", "manifest invalid", detail)


def _unknown(detail: str) -> Response:
    return failure(404, "MANIFEST_UNKNOWN", "manifest unknown", detail)
