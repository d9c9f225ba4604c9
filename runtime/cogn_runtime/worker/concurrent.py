"""Makes several predictions at once, as tasks of one event loop: for asynchronous models."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from typing import Any

from cog.scope import entered
from cogn_runtime.worker.answers import item_frame, result_frame, scope_of
from cogn_runtime.worker.channel import Channel
from cogn_runtime.worker.failures import describe, flush, print_traceback, traceback_text
from cogn_runtime.worker.inputs import python_inputs
from cogn_runtime.worker.loader import Model
from cogn_runtime.worker.outputs import json_output
from cogn_runtime.worker.printing import attributed, print_apart, print_attributed

__all__ = ["Loop"]


class Loop:
    """Runs the predictions of a model with `slots` slots, all in the main thread."""

    def __init__(self, model: Model, channel: Channel, slots: int) -> None:
        self._model = model
        self._channel = channel
        self._is_alone = slots == 1
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._canceled: set[str] = set()
        self._taken: dict[str, asyncio.Event] = {}

    async def serve(self) -> None:
        """Say that the model is ready, and answer requests until the front says stop."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        if not self._is_alone:
            print_apart()
        # All on the thread that receives, so that they come in their order.
        self._channel.on_predict = lambda request: loop.call_soon_threadsafe(self._start, request)
        self._channel.on_stop = lambda: loop.call_soon_threadsafe(stopped.set)
        self._channel.on_cancel = lambda id_: loop.call_soon_threadsafe(self._cancel, id_)
        self._channel.on_taken = lambda id_: loop.call_soon_threadsafe(self._go_on, id_)
        self._channel.send("ready")
        await stopped.wait()

    def _start(self, request: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(request))
        self._tasks[request["id"]] = task

    def _cancel(self, id_: str) -> None:
        if id_ in self._tasks:
            self._canceled.add(id_)
            # After the task's first step, which is due: one that never began would never answer.
            asyncio.get_running_loop().call_soon(self._tasks[id_].cancel)

    def _go_on(self, id_: str) -> None:
        if id_ in self._taken:
            self._taken[id_].set()

    async def _answer(self, request: dict[str, Any]) -> None:
        id_ = request["id"]
        try:
            frame = await self._predict(id_, request)
        except asyncio.CancelledError:  # before or after the model's own code
            frame = self._channel.frame("canceled", id=id_)
        finally:
            del self._tasks[id_]
        if id_ in self._canceled:
            self._canceled.discard(id_)
            frame = self._channel.frame("canceled", id=id_)
        flush()
        self._channel.send_frame(frame)

    async def _predict(self, id_: str, request: dict[str, Any]) -> bytes:
        """Return the frame that answers one request."""
        scope = scope_of(id_, request["context"], self._channel)
        with contextlib.ExitStack() as resources:
            resources.enter_context(entered(scope, alone=self._is_alone))
            resources.enter_context(attributed(id_, self._channel))
            try:
                arguments = python_inputs(self._model.signature, request["input"], resources)
                result = self._model.run(**arguments)
                if self._model.signature.output_mode != "value":
                    await self._send_items(id_, result)
                    return result_frame(id_, None, [], self._channel)
                if inspect.isasyncgen(result):
                    result = [item async for item in result]
                output, files = json_output(await result if inspect.isawaitable(result) else result)
            except BaseException as error:
                if id_ in self._canceled:
                    raise asyncio.CancelledError from error
                if self._is_alone:
                    print_traceback(error)
                else:
                    print_attributed(traceback_text(error))
                return self._channel.frame("failed", id=id_, error=describe(error))
        if id_ in self._canceled:
            raise asyncio.CancelledError
        return result_frame(id_, output, files, self._channel)

    async def _send_items(self, id_: str, result: Any) -> None:  # noqa: ANN401 - what a model returns
        """Send the items of the output as they are made."""
        if inspect.isawaitable(result):  # an `async def` that returns an iterator
            result = await result
        if not hasattr(result, "__aiter__"):
            for item in result:
                await self._send_item(id_, item)
            return
        try:
            async for item in result:
                await self._send_item(id_, item)
        finally:
            if inspect.isasyncgen(result):
                await result.aclose()

    async def _send_item(self, id_: str, item: object) -> None:
        frame, has_files = item_frame(id_, item, self._channel)
        flush()
        if not has_files:
            self._channel.send_frame(frame)
            return
        self._taken[id_] = taken = asyncio.Event()
        try:
            self._channel.send_frame(frame)
            await taken.wait()  # the model may write the next item into the same file
        finally:
            del self._taken[id_]
