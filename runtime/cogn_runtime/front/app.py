"""The ASGI application: which request gets which answer."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

import cogn_runtime
from cogn_runtime.front.http import Receive, RefusedError, Request, Response, Scope, Send
from cogn_runtime.front.predictions import post_prediction
from cogn_runtime.front.supervisor import Supervisor

__all__ = ["App"]

_Handler = Callable[[Request], Awaitable[Response]]

_INDEX = {
    "cog_version": cogn_runtime.__version__,
    "healthcheck_url": "/health-check",
    "openapi_url": "/openapi.json",
    "predictions_url": "/predictions",
    "shutdown_url": "/shutdown",
}
_VERSION = {"cogn": cogn_runtime.__version__, "python": platform.python_version()}


class App:
    """Cog's HTTP API for the model of `supervisor`; `shutdown` is called to end the server."""

    def __init__(self, supervisor: Supervisor, shutdown: Callable[[], None]) -> None:
        self._supervisor = supervisor
        self._shutdown = shutdown
        self._routes: dict[str, dict[str, _Handler]] = {
            "/": {"GET": self._index},
            "/health-check": {"GET": self._health},
            "/openapi.json": {"GET": self._openapi},
            "/predictions": {"POST": self._predict},
            "/shutdown": {"POST": self._end},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server asks for nothing but HTTP."""
        response = await self._answer(Request(scope, receive))
        await response.send(send)

    async def _answer(self, request: Request) -> Response:
        methods = self._routes.get(request.path) or self._routes_with_id(request.path)
        if methods is None:
            return Response(404)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            return Response(405, headers=[(b"allow", allowed.encode())])
        try:
            return await handler(request)
        except RefusedError as refusal:
            return refusal.response

    def _routes_with_id(self, path: str) -> dict[str, _Handler] | None:
        match path.split("/"):
            case ["", "predictions", _]:
                return {"PUT": self._unsupported}
            case ["", "predictions", _, "cancel"]:
                return {"POST": self._unsupported}
        return None

    async def _index(self, _request: Request) -> Response:
        return Response.json(200, _INDEX)

    async def _health(self, _request: Request) -> Response:
        supervisor = self._supervisor
        setup: dict[str, Any] = {"started_at": supervisor.setup.started_at}
        if supervisor.setup.completed_at is not None:
            setup["completed_at"] = supervisor.setup.completed_at
        setup |= {"status": supervisor.setup.status, "logs": supervisor.setup.logs.text()}
        health = {"status": supervisor.status, "setup": setup, "version": _VERSION}
        return Response(200, msgspec.json.encode(health), "application/json")

    async def _openapi(self, _request: Request) -> Response:
        if self._supervisor.document.content is None:
            return Response.json(503, {"error": "OpenAPI schema not available"})
        return Response.json(200, self._supervisor.document.content)

    async def _predict(self, request: Request) -> Response:
        return await post_prediction(request, self._supervisor)

    async def _unsupported(self, request: Request) -> Response:
        error = f"{request.method} {request.path} is not supported yet"
        return Response.json(501, {"error": error})

    async def _end(self, _request: Request) -> Response:
        self._shutdown()
        return Response.json(200, {})
