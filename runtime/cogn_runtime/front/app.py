"""Which request gets which answer."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

import cogn_runtime
from cogn_runtime.front.http import Answer, RefusedError, Request, Response
from cogn_runtime.front.measurements import CONTENT_TYPE, Measurements, exposition
from cogn_runtime.front.predictions import Endpoint
from cogn_runtime.front.process import Mode
from cogn_runtime.front.protocol import Handler
from cogn_runtime.front.running import Predictions
from cogn_runtime.front.supervisor import Status, Supervisor

__all__ = ["App"]

_NOUNS: dict[Mode, str] = {"predict": "prediction", "train": "training"}
_ELSEWHERE: dict[Mode, tuple[str, str]] = {
    "predict": (
        "trainings",
        "This server makes predictions: start one with `--x-mode train` for trainings.",
    ),
    "train": (
        "predictions",
        "This server trains: start one without `--x-mode train` for predictions.",
    ),
}
_VERSION = {"cogn": cogn_runtime.__version__, "python": platform.python_version()}


class App:
    """Cog's HTTP API for the model of `supervisor`; `shutdown` is called to end the server."""

    def __init__(
        self,
        supervisor: Supervisor,
        predictions: Predictions,
        measurements: Measurements,
        shutdown: Callable[[], None],
    ) -> None:
        self._supervisor = supervisor
        self._measurements = measurements
        self._shutdown = shutdown
        self._noun = _NOUNS[supervisor.mode]
        self._endpoint = Endpoint(self._noun, supervisor, predictions)
        self._index = _index(self._noun)
        self._routes: dict[str, dict[str, Handler]] = {
            "/": {"GET": self._list},
            "/health-check": {"GET": self._health},
            "/livez": {"GET": self._live},
            "/readyz": {"GET": self._ready},
            "/metrics": {"GET": self._measure},
            "/openapi.json": {"GET": self._openapi},
            f"/{self._noun}s": {"POST": self._endpoint.create},
            "/shutdown": {"POST": self._end},
        }

    def __call__(self, request: Request) -> Answer | Coroutine[Any, Any, Answer]:
        """Answer one request: at once, or by what is to be awaited."""
        route, methods = self._find(request)
        # Only what has a route is counted by name: clients must not make up as many as they like.
        method = request.method if methods and request.method in methods else "other"
        answer = self._answer(request, methods)
        if isinstance(answer, Coroutine):
            return self._counted(route, method, answer)
        self._count(route, method, answer)
        return answer

    async def _counted(
        self, route: str, method: str, coming: Coroutine[Any, Any, Answer]
    ) -> Answer:
        answer = await coming
        self._count(route, method, answer)
        return answer

    def _count(self, route: str, method: str, answer: Answer) -> None:
        status = answer.status if isinstance(answer, Response) else 200
        self._measurements.answered(route, method, status)

    def _find(self, request: Request) -> tuple[str, dict[str, Handler] | None]:
        """Return the route of a request and what answers it, by method."""
        if (methods := self._routes.get(request.path)) is not None:
            return request.path, methods
        plural = f"{self._noun}s"
        match request.segments:
            case [first, id_] if first == plural and id_:
                return f"/{plural}/ID", {"PUT": functools.partial(self._endpoint.put, id_)}
            case [first, id_, "cancel"] if first == plural:
                cancel = functools.partial(self._endpoint.cancel, id_)
                return f"/{plural}/ID/cancel", {"POST": cancel}
        return "other", None

    def _answer(
        self, request: Request, methods: dict[str, Handler] | None
    ) -> Answer | Coroutine[Any, Any, Answer]:
        if methods is None:
            plural, why = _ELSEWHERE[self._supervisor.mode]
            if request.segments[0] == plural:
                return Response.json(404, {"error": why, "status": "failed"})
            return Response(404)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            return Response(405, headers=[(b"allow", allowed.encode())])
        try:
            return handler(request)
        except RefusedError as refusal:
            return refusal.response

    def _list(self, _request: Request) -> Response:
        return Response.json(200, self._index)

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

    def _live(self, _request: Request) -> Response:
        if self._supervisor.is_defunct:
            return Response.text(503, "DEFUNCT\n")
        return Response.text(200, "ok\n")

    async def _ready(self, _request: Request) -> Response:
        status: Status = self._supervisor.status
        if status in {"READY", "BUSY"} and await self._supervisor.health_error() is not None:
            status = "UNHEALTHY"
        return Response.text(200 if status in {"READY", "BUSY"} else 503, f"{status}\n")

    async def _measure(self, _request: Request) -> Response:
        gpus = await self._supervisor.gpu_memory()
        return Response(200, exposition(self._measurements, self._supervisor, gpus), CONTENT_TYPE)

    def _openapi(self, _request: Request) -> Response:
        if self._supervisor.document.content is None:
            return Response.json(503, {"error": "OpenAPI schema not available"})
        return Response.json(200, self._supervisor.document.content)

    def _end(self, _request: Request) -> Response:
        self._shutdown()
        return Response.json(200, {})


def _index(noun: str) -> dict[str, str]:
    return {
        "cog_version": cogn_runtime.__version__,
        "healthcheck_url": "/health-check",
        "openapi_url": "/openapi.json",
        f"{noun}s_cancel_url": f"/{noun}s/{{{noun}_id}}/cancel",
        f"{noun}s_idempotent_url": f"/{noun}s/{{{noun}_id}}",
        f"{noun}s_url": f"/{noun}s",
        "shutdown_url": "/shutdown",
    }
