"""Predictions from their admission to their end, whoever waits for them."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Literal

import anyio
import anyio.abc
import msgspec

from cogn_runtime.front.files import FileError, is_remote, local_files, with_data_urls
from cogn_runtime.front.messages import Canceled, Failed, Succeeded
from cogn_runtime.front.supervisor import ENDED, BusyError, Job, Supervisor
from cogn_runtime.schema import Signature

__all__ = ["Prediction", "Predictions"]

_MOST_FETCHING = 16
"""Predictions whose files are on the way hold no slot; so many may be at it at once."""

_log = logging.getLogger("cogn.front")


class Prediction:
    """One prediction, as clients see it."""

    def __init__(self, job: Job, given: Any) -> None:  # noqa: ANN401 - what the client sent
        self.job = job
        self.input = given
        self.status: Literal["starting", "processing", "succeeded", "failed", "canceled"] = (
            "starting"
        )
        self.output: object = msgspec.UNSET
        self.error: str | None = None
        self.waiting = anyio.CancelScope()
        """What goes on before the model has the prediction."""
        self._ended = anyio.Event()

    @property
    def id(self) -> str:
        """The id that the client chose, or one of ours."""
        return self.job.id

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self._ended.is_set()

    async def end(self) -> None:
        """Wait until the prediction is over."""
        await self._ended.wait()

    def cancel(self) -> None:
        """Ask for the end of the prediction; when it is over already, nothing happens."""
        self.job.canceled.set()
        self.waiting.cancel()

    def close(
        self, status: Literal["succeeded", "failed", "canceled"], error: str | None = None
    ) -> None:
        """Say how the prediction ended."""
        self.status, self.error = status, error
        self._ended.set()

    def snapshot(self, *, with_input: bool = False) -> dict[str, Any]:
        """Return what is known now, as it stands in answers."""
        known: dict[str, Any] = {"id": self.id, "status": self.status}
        if with_input:
            known["input"] = self.input
        if self.output is not msgspec.UNSET:
            known["output"] = self.output
        if self.error is not None:
            known["error"] = self.error
        known["logs"] = self.job.logs.text()
        known["metrics"] = {"predict_time": self.job.seconds} if self.is_over else {}
        return known


class Predictions:
    """All predictions that are not over yet, by their ids; each runs in a task of `tasks`."""

    def __init__(self, supervisor: Supervisor, tasks: anyio.abc.TaskGroup) -> None:
        self._supervisor = supervisor
        self._tasks = tasks
        self._running: dict[str, Prediction] = {}
        self._fetching = 0

    def find(self, id_: str) -> Prediction | None:
        """Return the prediction with that id, if it is not over."""
        return self._running.get(id_)

    def start(
        self,
        id_: str,
        given: Any,  # noqa: ANN401 - what the client sent
        inputs: dict[str, Any],
        signature: Signature,
    ) -> Prediction:
        """Start a prediction with validated inputs; raises NotReadyError or BusyError.

        One whose files are to be fetched first waits for its slot when they are here; any other
        has it at once.
        """
        if id_ in self._running:
            raise BusyError
        prediction = Prediction(Job(id_), given)
        slot = contextlib.ExitStack()
        if is_remote(signature, inputs):
            self._supervisor.require_slot()
            if self._fetching >= _MOST_FETCHING:
                raise BusyError
        else:
            slot.enter_context(self._supervisor.slot(prediction.job))
        self._running[id_] = prediction
        self._tasks.start_soon(self._run, prediction, inputs, signature, slot)
        return prediction

    async def idle(self) -> None:
        """Wait until no prediction runs."""
        while self._running:
            await next(iter(self._running.values())).end()

    async def _run(
        self,
        prediction: Prediction,
        inputs: dict[str, Any],
        signature: Signature,
        slot: contextlib.ExitStack,
    ) -> None:
        """Make the prediction. Its slot is free again before anybody hears of its end."""
        try:
            with slot:
                ending = await self._ending(prediction, inputs, signature, slot)
        except Exception:  # noqa: BLE001 - a fault of one prediction must not end the server
            _log.exception("prediction %s", prediction.id)
            ending = Failed(id=prediction.id, error="internal error of the server; see its log")
        except BaseException:
            prediction.close("failed", ENDED)
            raise
        finally:
            del self._running[prediction.id]
        match ending:
            case Failed(_, error):
                prediction.close("failed", error)
            case Canceled():
                prediction.close("canceled")
            case Succeeded():
                prediction.close("succeeded")

    async def _ending(
        self,
        prediction: Prediction,
        inputs: dict[str, Any],
        signature: Signature,
        slot: contextlib.ExitStack,
    ) -> Succeeded | Failed | Canceled:
        job = prediction.job
        async with contextlib.AsyncExitStack() as files:
            try:
                local = await self._localized(prediction, inputs, signature, slot, files)
            except FileError as error:
                return Failed(id=job.id, error=str(error))
            if local is None:
                return Canceled(id=job.id)
            prediction.status = "processing"
            answer = await self._supervisor.predict(job, local)
            if isinstance(answer, Succeeded):
                try:
                    prediction.output = await with_data_urls(answer.output, answer.files)
                except FileError as error:
                    return Failed(id=job.id, error=str(error))
            return answer

    async def _localized(
        self,
        prediction: Prediction,
        inputs: dict[str, Any],
        signature: Signature,
        slot: contextlib.ExitStack,
        files: contextlib.AsyncExitStack,
    ) -> dict[str, Any] | None:
        """Return the inputs with local files, the slot taken; None when it was canceled before."""
        job = prediction.job
        local: dict[str, Any] | None = None
        self._fetching += 1
        try:
            with prediction.waiting:
                local = await files.enter_async_context(local_files(signature, inputs))
                await self._supervisor.turn(job, slot)
        finally:
            self._fetching -= 1
        return None if job.canceled.is_set() else local
