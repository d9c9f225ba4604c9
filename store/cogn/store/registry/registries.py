"""All registries of one run: which of their addresses to ask, as whom, over which connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread

from cogn.report import Reporter
from cogn.store.errors import OfflineError, RegistryConfigurationError, RegistryError
from cogn.store.registry.auth import Lookup
from cogn.store.registry.configuration import Endpoint, RegistryConfiguration
from cogn.store.registry.credentials import Credential, Credentials
from cogn.store.registry.reference import Reference
from cogn.store.registry.repository import Repository
from cogn.store.registry.session import Session
from cogn.store.registry.upload import UploadTraits
from cogn.store.retry import UnavailableError

__all__ = ["Registries", "check_login"]


class Registries:
    """Opens repositories. Make it with `Registries.open`."""

    def __init__(
        self,
        configuration: RegistryConfiguration,
        reporter: Reporter,
        stack: AsyncExitStack,
        *,
        offline: bool,
    ) -> None:
        self._configuration = configuration
        self._credentials = Credentials.find()
        self._reporter = reporter
        self._stack = stack
        self._offline = offline
        self._opening = anyio.Lock()
        self._sessions: dict[tuple[str, str], Session] = {}
        self._traits: dict[str, UploadTraits] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, configuration: RegistryConfiguration, reporter: Reporter, *, offline: bool = False
    ) -> AsyncIterator[Registries]:
        """Give the registries; connections are closed when the block ends.

        When they are `offline`, none is opened: asking for a repository raises `OfflineError`.
        """
        async with AsyncExitStack() as stack:
            yield cls(configuration, reporter, stack, offline=offline)

    async def push_target(self, reference: Reference) -> Repository:
        """Return the repository to push to; raises `RegistryError` when it is out of reach."""
        (endpoint,) = self._configuration.endpoints(
            reference.host, reference.repository, for_pull=False, by_digest=False
        )
        return await self._repository(reference, endpoint, "pull,push")

    async def pull_sources(self, reference: Reference) -> list[Repository]:
        """Return the repositories that can be reached of those to pull from, mirrors first.

        Raises `RegistryError` when there is none.
        """
        found, failures = [], []
        for endpoint in self._pull_endpoints(reference):
            try:
                found.append(await self._repository(reference, endpoint, "pull"))
            except RegistryError as error:
                failures.append(str(error))
        if not found:
            raise RegistryError("\n  ".join(failures))
        return found

    def pull_names(self, reference: Reference) -> list[tuple[str, str]]:
        """Return what `pull_sources` would try, as registries and names of their repositories.

        None where configuration blocks the registry.
        """
        try:
            endpoints = self._pull_endpoints(reference)
        except RegistryConfigurationError:
            raise
        except RegistryError:
            return []
        return [(endpoint.host, endpoint.repository) for endpoint in endpoints]

    def _pull_endpoints(self, reference: Reference) -> tuple[Endpoint, ...]:
        return self._configuration.endpoints(
            reference.host,
            reference.repository,
            for_pull=True,
            by_digest=reference.digest is not None,
        )

    async def _repository(
        self, reference: Reference, endpoint: Endpoint, actions: str
    ) -> Repository:
        if self._offline:
            raise OfflineError((f"the image `{reference}`",))
        key = endpoint.netloc, endpoint.repository
        async with self._opening:
            if key not in self._sessions:
                lookup = partial(
                    anyio.to_thread.run_sync,
                    self._credentials.for_repository,
                    endpoint.host,
                    key[1],
                )
                self._sessions[key] = await self._stack.enter_async_context(
                    _session(endpoint, lookup, self._reporter)
                )
        return Repository(
            reference,
            self._sessions[key],
            endpoint.repository,
            actions=actions,
            traits=self._traits.setdefault(endpoint.netloc, UploadTraits()),
            reporter=self._reporter,
        )


async def check_login(
    host: str, credential: Credential, configuration: RegistryConfiguration
) -> None:
    """Raise `RegistryError` unless the registry takes the credential."""
    (endpoint,) = configuration.endpoints(host, "", for_pull=False, by_digest=False)

    async def lookup() -> Credential:
        return credential

    async with _session(endpoint, lookup, Reporter()) as session:
        try:
            await session.send("GET", "/v2/", expected=(200,), scopes=())
        except UnavailableError as error:
            raise RegistryError(f"`{host}` does not take the credentials: {error}") from error


@asynccontextmanager
async def _session(
    endpoint: Endpoint, lookup: Lookup, reporter: Reporter
) -> AsyncIterator[Session]:
    async with AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(Session.open(endpoint, lookup, reporter))
        except UnavailableError as error:
            raise RegistryError(f"cannot use the registry `{endpoint.host}`: {error}") from error
        yield session
