"""The worker's end: when connections are taken no more, when those that are open end, when what was captured is sent.

Called by `server` after SIGTERM. Law: never in the way of the application. In a pod every container gets SIGTERM at the
same moment (a native sidecar after the others have ended), and an application may take and make connections for as
long as it finishes. So with `drain_until` application, the proxy goes on until the application is gone (`presence`);
when `drain_timeout_s` is over before that, it hands over what it captured, while the pod still has time, and from
then on only passes connections on and counts what it does not record. The kubelet's SIGKILL ends whatever is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable
from typing import Any, Protocol

import structlog

from speedscale_runtime.recording.causes import Drop
from speedscale_runtime.recording.sender import Sender

from .config import Settings
from .hub import Hub
from .presence import Quiet

_STEP_S = 0.05
_LOOK_S = 0.1

log = structlog.get_logger()


class _Closable(Protocol):
    def close(self) -> Any:
        """Stop listening."""
        ...


class Drain:
    """One worker's end, step by step."""

    def __init__(self, settings: Settings, hub: Hub, sender: Sender, sending: asyncio.Task[None]) -> None:
        self._settings = settings
        self._hub = hub
        self._sender = sender
        self._sending = sending
        self._flushed = False

    async def run(self, listening: Iterable[_Closable], other_ports: frozenset[int]) -> None:
        """Go through all of it; `listening` is closed when no connection is taken any more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_timeout_s
        if self._settings.drain_until == "application":
            await self._until_gone(deadline, self._hub.own_ports | other_ports)
            deadline = max(deadline, loop.time() + self._settings.flush_timeout_s)
        for item in listening:
            item.close()
        await self._connections(deadline)
        await self.flush()

    async def _until_gone(self, deadline: float, own_ports: frozenset[int]) -> None:
        loop = asyncio.get_running_loop()
        quiet = Quiet(os.getuid(), own_ports, self._settings.drain_quiet_s)
        while not quiet.over(loop.time()):
            if not self._flushed and loop.time() >= deadline:
                log.warning("application_still_there", after_s=self._settings.drain_timeout_s)
                await self.flush()
            await asyncio.sleep(_LOOK_S)
        log.info("application_gone")

    async def _connections(self, deadline: float) -> None:
        """Let connections finish: idle ones end at once, all of them in the end."""
        hub, loop = self._hub, asyncio.get_running_loop()
        while hub.flows and loop.time() < deadline:
            for flow in list(hub.flows):
                if flow.idle:
                    flow.close()
            await asyncio.sleep(_STEP_S)
        cut = len(hub.flows)
        for flow in list(hub.flows):
            flow.abort()
        while hub.flows:
            await asyncio.sleep(0)
        log.info("drained", cut=cut)

    async def flush(self) -> None:
        """Send what is there, as far as the time for that goes; count the rest, and what comes later."""
        if self._flushed:
            return
        self._flushed = True
        self._sender.finish()
        try:
            async with asyncio.timeout(self._settings.flush_timeout_s):
                await asyncio.shield(self._sending)
        except TimeoutError:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        lost = self._sender.abandon(Drop.SHUTDOWN)
        log.info("flushed", notSent=lost)
