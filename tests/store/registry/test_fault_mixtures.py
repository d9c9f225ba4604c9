"""Any mixture of faults: what a registry has is right at every moment, and a push ends well."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from functools import partial
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from cogn.report import Reporter
from cogn.store.errors import RegistryError
from cogn.store.registry import (
    Blob,
    Reference,
    Registries,
    RegistryConfiguration,
    blob_of_bytes,
)
from cogn.store.registry.upload import UploadTraits
from support import registry as fake
from support.registry import Endpoint, FakeRegistry, Fault
from support.registry.exchange import Effect

KIBIBYTE = 1 << 10
BLOBS = [
    blob_of_bytes(random.Random(size).randbytes(size), str(size))
    for size in (0, 1, 5 * KIBIBYTE, 300 * KIBIBYTE, 700 * KIBIBYTE)
]
REPOSITORIES = ("team/one", "team/two")

EFFECTS = st.one_of(
    st.builds(
        fake.Answer,
        st.sampled_from([400, 401, 403, 404, 405, 408, 413, 416, 429, 500, 502, 503, 504]),
        early=st.booleans(),
    ),
    st.builds(fake.CutRequest, after=st.integers(0, 300 * KIBIBYTE), reset=st.booleans()),
    st.builds(fake.CutResponse, after=st.integers(0, 300), reset=st.booleans()),
    st.builds(fake.Location, st.sampled_from(["path", "name", "query", "state", "elsewhere"])),
    st.builds(fake.Redirect, st.sampled_from([307, 308])),
    st.builds(fake.KeepPart, st.integers(0, 200 * KIBIBYTE)),
    st.builds(fake.LoseTail, st.integers(1, 300 * KIBIBYTE)),
    st.builds(fake.MisreportRange, st.integers(-1000, 1000)),
    st.sampled_from(
        [
            fake.DeclineMount(),
            fake.LoseUpload(),
            fake.CreatedOnPatch(),
            fake.RevokeTokens(),
            fake.Cookies(),
        ]
    ),
)
ENDPOINTS = st.sampled_from(
    [
        Endpoint.PING,
        Endpoint.TOKEN,
        Endpoint.BLOB_HEAD,
        Endpoint.MOUNT,
        Endpoint.UPLOAD_START,
        Endpoint.UPLOAD_PATCH,
        Endpoint.UPLOAD_PUT,
        Endpoint.UPLOAD_STATUS,
        Endpoint.MANIFEST_PUT,
    ]
)
TIMES = st.builds(
    lambda begin, count: range(begin, begin + count), st.integers(1, 4), st.integers(1, 3)
)


class Pushes(RuleBasedStateMachine):
    """One registry, pushes to it, and ever more that goes wrong."""

    auth_file: Path

    def __init__(self) -> None:
        super().__init__()
        self.registry = FakeRegistry(auth=fake.Bearer("me", "secret", requests=40))
        self.registry.__enter__()
        auth = b64encode(b"me:secret").decode()
        self.auth_file.write_text(json.dumps({"auths": {self.registry.host: {"auth": auth}}}))

    def teardown(self) -> None:
        self.registry.__exit__()

    @rule(effect=EFFECTS, endpoint=ENDPOINTS, times=TIMES)
    def something_breaks(self, effect: Effect, endpoint: Endpoint, times: range) -> None:
        # Anywhere else it would say that something was taken which was not: nobody can notice.
        assume(endpoint is Endpoint.MOUNT or not isinstance(effect, fake.DeclineMount))
        self.registry.inject(Fault(effect, on=endpoint, times=times))

    @rule(
        blobs=st.lists(st.sampled_from(BLOBS), min_size=1, unique_by=lambda blob: blob.digest),
        repository=st.sampled_from(REPOSITORIES),
    )
    def push(self, blobs: list[Blob], repository: str) -> None:
        failure = None
        try:
            anyio.run(self._push, blobs, repository)
        except RegistryError as error:
            failure = f"{error} {error.hint} {error.__cause__!r}"
        if failure is not None:
            assert "secret" not in failure
            self.registry.mend()
            anyio.run(self._push, blobs, repository)
        stored = self.registry.repositories[repository]
        assert stored.tags["1"] == fake.digest_of(manifest(blobs))

    @invariant()
    def what_is_tagged_is_whole(self) -> None:
        for stored in self.registry.repositories.values():
            for digest, data in stored.blobs.items():
                assert fake.digest_of(data) == digest
            for digest in stored.tags.values():
                named = json.loads(stored.manifests[digest].data)["layers"]
                assert {layer["digest"] for layer in named} <= stored.blobs.keys()

    @invariant()
    def credentials_stay_with_the_registry(self) -> None:
        assert not any(r.authorization for r in self.registry.requests if r.elsewhere)

    async def _push(self, blobs: list[Blob], name: str) -> None:
        async with Registries.open(RegistryConfiguration.load(), Reporter()) as registries:
            reference = Reference.parse(f"{self.registry.host}/{name}:1")
            repository = await registries.push_target(reference)
            for blob in blobs:
                if not await repository.has_blob(blob.digest):
                    await repository.put_blob(blob, REPOSITORIES)
            await repository.put_manifest(fake.OCI_MANIFEST, manifest(blobs), "1")


def manifest(blobs: list[Blob]) -> bytes:
    layers = [{"mediaType": "a/b", "digest": each.digest, "size": each.size} for each in blobs]
    content = {"schemaVersion": 2, "mediaType": fake.OCI_MANIFEST, "config": layers[0]}
    return json.dumps(content | {"layers": layers}).encode()


def test_any_mixture_of_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cogn.store.retry._FIRST_WAIT", 0.0)
    monkeypatch.setattr("cogn.store.registry.session.PATIENCE", 2.0)
    traits = partial(UploadTraits, largest_whole=100 * KIBIBYTE, chunk=100 * KIBIBYTE)
    monkeypatch.setattr("cogn.store.registry.registries.UploadTraits", traits)
    Pushes.auth_file = tmp_path / "auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(Pushes.auth_file))
    run_state_machine_as_test(
        Pushes,
        settings=settings(
            max_examples=60,
            stateful_step_count=12,
            # No shrinking: that takes up to 300 s, and a test that is stopped then says nothing.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
