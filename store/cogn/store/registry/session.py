"""Requests to one registry: authorised, redirected, bounded, and silent about secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio

from cogn.report import Reporter
from cogn.store.registry.answer import (
    PATIENCE,
    Answer,
    RefusedError,
    printable,
    read_answer,
)
from cogn.store.registry.auth import Authorizer, Lookup, Scopes, TokenRequest
from cogn.store.registry.connection import new_connections, roots
from cogn.store.retry import UnavailableError, failure, retried, transport_errors

if TYPE_CHECKING:
    import httpx

    from cogn.store.registry.configuration import Endpoint

__all__ = ["Content", "Session"]

Content = Callable[[], AsyncIterator[bytes]]
"""Gives the body of a request from its start, as often as it is asked to."""

_LARGEST_ANSWER = 4 << 20  # what registries allow a manifest
_LARGEST_TOKEN = 64 << 10
_LARGEST_ERROR = 16 << 10
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TO_TLS = "HTTP request to an HTTPS server"  # how servers written in Go say so


class Session:
    """The connections with one registry. Make it with `Session.open`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: httpx.URL,
        lookup: Lookup,
        reporter: Reporter,
    ) -> None:
        self._client = client
        self._url = url
        self._authorizer = Authorizer(str(url), lookup, self._fetch_token)
        self._reporter = reporter
        self._elsewhere: httpx.AsyncClient | None = None
        self._warned: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: Endpoint, lookup: Lookup, reporter: Reporter
    ) -> AsyncIterator[Session]:
        """Give a session whose connections are closed when the block ends.

        Finds out first whether the registry speaks TLS and how it wants to be asked. Raises
        `UnavailableError` when there is no answer.
        """
        from cogn.store.client import httpx

        async with AsyncExitStack() as stack:
            sessions: dict[str, Session] = {}

            async def session_at(root: str) -> Session:
                if root not in sessions:
                    client = await stack.enter_async_context(new_connections(endpoint, root))
                    sessions[root] = cls(client, httpx.URL(root), lookup, reporter)
                    stack.push_async_callback(sessions[root]._close_elsewhere)
                return sessions[root]

            async def attempt() -> tuple[Session, Answer]:
                *others, final = roots(endpoint)
                for root in others:
                    session = await session_at(root)
                    try:
                        answer = await session._ping()
                    except UnavailableError as error:
                        if error.status is not None:
                            raise
                        continue  # it may be that it speaks the other protocol
                    if not _wants_tls(answer):
                        return session, answer
                session = await session_at(final)
                return session, await session._ping()

            # All of it again: the first may have failed for another reason than its protocol.
            session, answer = await retried(attempt)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                await session._authorizer.challenged(answer.headers.get_list("WWW-Authenticate"))
            yield session

    async def send(
        self,
        method: str,
        path: str | httpx.URL,
        *,
        expected: tuple[int, ...],
        scopes: Scopes,
        headers: Mapping[str, str] | None = None,
        content: bytes | Content | None = None,
        size: int | None = None,
    ) -> Answer:
        """Return the answer to a request, sent again when the registry wanted a fresh token.

        `path` is below the registry's root, or the whole URL of an upload. `size` is that of a
        `content` which is made while it is sent. Raises `UnavailableError`.
        """
        own = dict(headers or {})
        if size is not None:
            own["Content-Length"] = str(size)
        async with self._exchange(method, path, own, content, expected, scopes) as response:
            answer = await read_answer(response, _LARGEST_ANSWER)
        self._warn(answer)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, *, expected: tuple[int, ...], scopes: Scopes, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Give the answer to a GET, whose body the block reads; raises `UnavailableError`."""
        async with (
            transport_errors(),
            self._exchange("GET", path, dict(headers), None, expected, scopes) as response,
        ):
            yield response

    def scrubbed(self, text: str) -> str:
        """Return `text` without any secret that this session knows."""
        # The longest first: another may be a part of it.
        for secret in sorted(self._authorizer.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str | httpx.URL,
        headers: dict[str, str],
        content: bytes | Content | None,
        expected: tuple[int, ...],
        scopes: Scopes,
    ) -> AsyncIterator[httpx.Response]:
        url = self._url.join(path)
        is_own = _origin(url) == _origin(self._url)
        for attempt in (1, 2):
            token = await self._authorizer.header(scopes) if is_own else None
            signed = headers | ({} if token is None else {"Authorization": token})
            async with self._redirected(method, url, signed, content) as response:
                if response.status_code in expected:
                    yield response
                    return
                answer = await read_answer(response, _LARGEST_ERROR)
            if attempt == 1 and is_own and answer.status == HTTPStatus.UNAUTHORIZED:
                self._authorizer.drop(scopes, token)
                if await self._authorizer.challenged(answer.headers.get_list("WWW-Authenticate")):
                    continue
            raise self._refused(answer)

    @asynccontextmanager
    async def _redirected(
        self,
        method: str,
        url: httpx.URL,
        headers: dict[str, str],
        content: bytes | Content | None,
    ) -> AsyncIterator[httpx.Response]:
        """Give the answer at the end of all redirections; secrets stay with the first origin."""
        for _ in range(_MOST_REDIRECTS):
            async with _sent(self._client_of(url), method, url, headers, content) as response:
                location = response.headers.get("Location")
                follows = response.status_code in _REDIRECTS and location is not None
                if not follows or (response.status_code < 307 and method not in {"GET", "HEAD"}):
                    yield response
                    return
            target = url.join(location)
            if url.scheme == "https" and target.scheme != "https":
                raise UnavailableError("it redirects from https to a place without")
            if _origin(target) != _origin(url):
                headers = {k: v for k, v in headers.items() if k != "Authorization"}
            url = target
        raise UnavailableError("it redirects again and again")

    async def _ping(self) -> Answer:
        async with _sent(self._client, "GET", self._url.join("/v2/"), {}, None) as response:
            answer = await read_answer(response, _LARGEST_ERROR)
        return self._passing(answer)

    async def _fetch_token(self, request: TokenRequest) -> tuple[int, bytes]:
        """Ask a token service, which may be another host's; return status and body."""
        from cogn.store.client import httpx

        url = httpx.URL(request.url)
        headers = {}
        if request.authorization is not None:
            headers["Authorization"] = request.authorization
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        method = "GET" if request.form is None else "POST"

        async def attempt() -> Answer:
            client = self._client_of(url)
            async with _sent(client, method, url, headers, request.form) as response:
                return self._passing(await read_answer(response, _LARGEST_TOKEN))

        answer = await retried(attempt)
        return answer.status, answer.body

    def _passing(self, answer: Answer) -> Answer:
        """Return the answer unless asking again may give another."""
        error = self._refused(answer)
        if error.may_pass:
            raise error
        return answer

    def _refused(self, answer: Answer) -> RefusedError:
        cause = failure(answer.status, answer.reason, answer.headers)
        return RefusedError(cause, answer, lambda text: printable(self.scrubbed(text)))

    def _warn(self, answer: Answer) -> None:
        """Pass on what the registry says with ``Warning: 299 - "text"``, each text once."""
        for header in answer.headers.get_list("Warning"):
            code, _, rest = header.partition(" ")
            text = printable(self.scrubbed(rest.partition(" ")[2].strip('"')))
            if code == "299" and text and text not in self._warned:
                self._warned.add(text)
                self._reporter.warn(f"{self._url.netloc.decode()} says: {text}")

    def _client_of(self, url: httpx.URL) -> httpx.AsyncClient:
        """Return the registry's own client, or the one for where it sends to: its storage, say."""
        if _origin(url) == _origin(self._url):
            return self._client
        if self._elsewhere is None:
            from cogn.store.client import new_client, system_trust

            self._elsewhere = new_client(verify=system_trust(), read_seconds=PATIENCE)
        return self._elsewhere

    async def _close_elsewhere(self) -> None:
        if self._elsewhere is not None:
            await self._elsewhere.aclose()


@asynccontextmanager
async def _sent(
    client: httpx.AsyncClient,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes | Content | None,
) -> AsyncIterator[httpx.Response]:
    """Send one request and give its answer, whose body is not read yet."""
    from cogn.store.client import httpx

    async with transport_errors():
        response = None
        # Not `fail_after`: the deadline may have moved on when its cancellation is felt.
        with anyio.move_on_after(PATIENCE) as scope:
            body = _patient(content(), scope) if callable(content) else content
            request = client.build_request(method, url, headers=headers, content=body)
            response = await client.send(request, stream=True)
        if response is None:
            raise UnavailableError("it takes too long to answer", may_pass=True)
        try:
            yield response
        except httpx.StreamError as error:
            raise UnavailableError(str(error), may_pass=True) from error
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()


async def _patient(chunks: AsyncIterator[bytes], scope: anyio.CancelScope) -> AsyncIterator[bytes]:
    """Pass on what is sent; with each piece that was taken, the time for the answer begins anew."""
    async for chunk in chunks:
        yield chunk
        scope.deadline = anyio.current_time() + PATIENCE


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _wants_tls(answer: Answer) -> bool:
    return answer.status == HTTPStatus.BAD_REQUEST and _TO_TLS.encode() in answer.body
