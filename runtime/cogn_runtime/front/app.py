"""The ASGI application: which request gets which answer."""

from __future__ import annotations

import functools
import platform
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

import cogn_runtime
from cogn_runtime.front.http import Receive, RefusedError, Request, Response, Scope, Send
from cogn_runtime.front.prediction import Predictions
from cogn_runtime.front.predictions import (
    Answer,
    cancel_prediction,
    create_prediction,
    put_prediction,
)
from cogn_runtime.front.supervisor import Status, Supervisor

__all__ = ["App"]

_Handler = Callable[[Request], Awaitable[Answer]]

_INDEX = {
    "cog_version": cogn_runtime.__version__,
    "healthcheck_url": "/health-check",
    "openapi_url": "/openapi.json",
    "predictions_cancel_url": "/predictions/{prediction_id}/cancel",
    "predictions_idempotent_url": "/predictions/{prediction_id}",
    "predictions_url": "/predictions",
    "shutdown_url": "/shutdown",
}
_VERSION = {"cogn": cogn_runtime.__version__, "python": platform.python_version()}


class App:
    """Cog's HTTP API for the model of `supervisor`; `shutdown` is called to end the server."""

    def __init__(
        self, supervisor: Supervisor, predictions: Predictions, shutdown: Callable[[], None]
    ) -> None:
        self._supervisor = supervisor
        self._predictions = predictions
        self._shutdown = shutdown
        self._routes: dict[str, dict[str, _Handler]] = {
            "/": {"GET": self._index},
            "/health-check": {"GET": self._health},
            "/livez": {"GET": self._live},
            "/readyz": {"GET": self._ready},
            "/openapi.json": {"GET": self._openapi},
            "/predictions": {"POST": self._predict},
            "/shutdown": {"POST": self._end},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server asks for nothing but HTTP."""
        response = await self._answer(Request(scope, receive))
        await response.send(send)

    async def _answer(self, request: Request) -> Answer:
        methods = self._routes.get(request.path) or self._routes_with_id(request)
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

    def _routes_with_id(self, request: Request) -> dict[str, _Handler] | None:
        match request.segments:
            case ["predictions", id_] if id_:
                return {"PUT": functools.partial(self._put, id_)}
            case ["predictions", id_, "cancel"]:
                return {"POST": functools.partial(self._cancel, id_)}
        return None

    async def _index(self, _request: Request) -> Response:
        return Response.json(200, _INDEX)

    async def _health(self, _request: Request) -> Response:
        supervisor = self._supervisor
        setup: dict[str, Any] = {"started_at": supervisor.setup.started_at}
        if supervisor.setup.completed_at is not None:
            setup["completed_at"] = supervisor.setup.completed_at
        setup |= {"status": supervisor.setup.status, "logs": supervisor.setup.logs.text()}
        health: dict[str, Any] = {"status": supervisor.status, "setup": setup, "version": _VERSION}
        error = await supervisor.health_error()
        if error is not None:
            health["status"] = "UNHEALTHY"
            health["user_healthcheck_error"] = error
        return Response(200, msgspec.json.encode(health), "application/json")

    async def _live(self, _request: Request) -> Response:
        return Response.text(200, "ok\n")

    async def _ready(self, _request: Request) -> Response:
        status: Status = self._supervisor.status
        if await self._supervisor.health_error() is not None:
            status = "UNHEALTHY"
        return Response.text(200 if status in {"READY", "BUSY"} else 503, f"{status}\n")

    async def _openapi(self, _request: Request) -> Response:
        if self._supervisor.document.content is None:
            return Response.json(503, {"error": "OpenAPI schema not available"})
        return Response.json(200, self._supervisor.document.content)

    async def _predict(self, request: Request) -> Answer:
        return await create_prediction(request, self._supervisor, self._predictions)

    async def _put(self, id_: str, request: Request) -> Answer:
        return await put_prediction(request, id_, self._supervisor, self._predictions)

    async def _cancel(self, id_: str, _request: Request) -> Response:
        return await cancel_prediction(id_, self._predictions)

    async def _end(self, _request: Request) -> Response:
        self._shutdown()
        return Response.json(200, {})
