"""One connection to the backend: commands come in, each becomes a task, answers go out one at a time.

Called by `server` for each channel. Invariants: `hello` is first; messages of different commands take turns; when the
connection ends, every command on it is ended. A message that breaks the contract is told where it has an id, counted
and logged by its problems (never its content), and ends nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import structlog

from speedscale_schemas import inspector as contract
from speedscale_schemas.errors import ConfigError, TransientError
from speedscale_schemas.inspector import COMMANDS, PROTOCOL, Reason

from .config import Settings
from .metrics import Dropped, Metrics
from .running import Runner, Running

_log = structlog.get_logger("speedscale_inspector")


MOST_TASKS = 512


class Channel(Protocol):
    """What is used of `speedscale_runtime.cloud.Channel`."""

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one object."""

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield objects until the channel closes."""


def hello(settings: Settings, version: str) -> dict[str, Any]:
    """Return who we are."""
    return {
        "kind": "hello",
        "protocol": PROTOCOL,
        "cluster": settings.cluster,
        "version": version,
        "namespace": settings.namespace,
        "instance": settings.pod_name,
        "namespaces": list(settings.namespaces),
        "commands": list(COMMANDS),
    }


class Conversation:
    """One channel from its hello to its end."""

    def __init__(self, channel: Channel, runner: Runner, metrics: Metrics) -> None:
        self._channel, self._runner, self._metrics = channel, runner, metrics
        self._running: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def hold(self, greeting: Mapping[str, Any]) -> None:
        """Talk until the channel closes; TransientError, PeerError as the channel has it."""
        try:
            await self._send(greeting)
            async for document in self._channel:
                await self._take(document)
        finally:
            await self.end(Reason.DISCONNECTED)

    async def end(self, reason: Reason) -> None:
        """End all commands, and wait until each was told."""
        for running in self._running.values():
            running.end(reason)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _send(self, message: Mapping[str, Any]) -> None:
        async with self._turn:
            await self._channel.send(message)

    async def _take(self, document: Mapping[str, Any]) -> None:
        try:
            message = contract.message(document)
        except ConfigError as error:
            await self._malformed(document, error)
            return
        id_ = str(message["id"])
        running = self._running.get(id_)
        if message["kind"] == "run":
            if running is not None:
                self._drop(Dropped.DUPLICATE, id_)
                return
            while len(self._tasks) >= MOST_TASKS:  # all but the slots only wait for their turn to say `busy`
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._begin(id_, message)
        elif running is None:
            self._drop(Dropped.UNKNOWN_ID, id_)
        elif message["kind"] == "ack":
            running.acked(message["sequence"])
        else:
            running.end(Reason(message.get("reason", Reason.CANCELED)))

    def _begin(self, id_: str, message: Mapping[str, Any]) -> None:
        running = self._running[id_] = Running(message)
        task = asyncio.get_running_loop().create_task(self._carry_out(id_, running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, id_: str, running: Running) -> None:
        try:
            await self._runner.run(running, self._send)
        except TransientError:  # the channel is gone; whoever reads it says so
            running.end(Reason.DISCONNECTED)
        except Exception:
            running.end(Reason.INTERNAL)
            _log.exception("command_task_failed", command=str(running.message["command"])[:64])
        finally:
            self._running.pop(id_, None)

    async def _malformed(self, document: Mapping[str, Any], error: ConfigError) -> None:
        self._metrics.dropped.labels(Dropped.MALFORMED).inc()
        places = [problem.partition(":")[0][:200] for problem in error.problems[:5]]
        _log.warning("message_malformed", places=places)
        id_ = document.get("id")
        if document.get("kind") == "run" and isinstance(id_, str) and len(id_) <= 64 and id_ not in self._running:
            told = "; ".join(error.problems)[:4096]
            reason = Reason.INVALID_ARGUMENTS.value
            await self._send({"kind": "error", "id": id_, "sequence": 0, "reason": reason, "message": told})

    def _drop(self, cause: Dropped, id_: str) -> None:
        self._metrics.dropped.labels(cause).inc()
        _log.debug("message_dropped", cause=cause.value, id=id_)
