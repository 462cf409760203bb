"""The worker's driver: listeners, sender and signals on one event loop, from ready to drained.

Called by `worker`. The only owner of listeners and tasks; connections live in `relay`, what they share in `hub`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from .capture import Recorder
from .causes import Drop, Side
from .config import Settings
from .forwarder_client import ForwarderClient
from .hub import Hub
from .inbound import InboundFlow
from .ledger import HEARTBEAT, Ledger
from .outbox import Outbox
from .relay import End
from .sender import Sender
from .spill import STAGE_BYTES, Spill

_BACKLOG = 4096
_HEARTBEAT_S = 1.0
_DRAIN_STEP_S = 0.05

log = structlog.get_logger()


class Server:
    """One worker's services."""

    def __init__(self, settings: Settings, ledger: Ledger, listeners: Mapping[Side, socket.socket]) -> None:
        """Take settings, shared counters and listening sockets; call within a running loop."""
        self.settings = settings
        self.ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._listeners = dict(listeners)
        self._stopping = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        recorder = Recorder(
            settings.identity,
            proxy_type=settings.proxy_type,
            proxy_protocol=settings.proxy_protocol,
            reverse=(settings.reverse_host, settings.reverse_port),
        )
        self.outbox = Outbox(
            recorder,
            ledger,
            limit=settings.queue_max_bytes,
            batch_max_bytes=settings.batch_max_bytes,
            spill=_spill(settings),
        )
        self.client = ForwarderClient(settings.forwarder)
        self.sender = Sender(
            self.outbox,
            self.client,
            ledger,
            sender_id=str(uuid.uuid4()),
            epoch=time.time_ns(),
            linger_s=settings.batch_linger_s,
            compression=settings.forwarder.compression,
            token=_token_reader(settings.forwarder.token_file),
        )
        self.hub = Hub(settings, ledger, self.outbox, self._loop)
        self.hub.own_ports = frozenset(s.getsockname()[1] for s in self._listeners.values())

    @property
    def why_not_ready(self) -> str:
        """Empty while connections are accepted."""
        return "stopping" if self._stopping.is_set() else ""

    def stop(self) -> None:
        """Begin to stop; `run` returns when done."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve, call `ready` when connections are accepted, and drain after `stop`."""
        sending = asyncio.create_task(self.sender.run())
        for side, sock in self._listeners.items():
            accept = self._acceptor(side)
            self._servers.append(await self._loop.create_server(accept, sock=sock, backlog=_BACKLOG))
        self._beat()
        ready()
        await self._stopping.wait()
        await self._drain()
        await self._flush(sending)

    def _acceptor(self, side: Side) -> Callable[[], End]:
        hub = self.hub
        if side is Side.IN:
            return lambda: InboundFlow(hub).client
        from .outbound import OutboundFlow

        return lambda: OutboundFlow(hub).client

    def _beat(self) -> None:
        self.ledger.cells[HEARTBEAT] = time.monotonic_ns()
        self._loop.call_later(_HEARTBEAT_S, self._beat)

    async def _drain(self) -> None:
        """Accept no more; let connections finish, idle ones at once, all of them in the end."""
        for server in self._servers:
            server.close()
        for sock in self._listeners.values():
            sock.close()
        hub = self.hub
        deadline = self._loop.time() + self.settings.drain_timeout_s
        while hub.flows and self._loop.time() < deadline:
            for flow in list(hub.flows):
                if flow.idle:
                    flow.close()
            await asyncio.sleep(_DRAIN_STEP_S)
        cut = len(hub.flows)
        for flow in list(hub.flows):
            flow.abort()
        while hub.flows:
            await asyncio.sleep(0)
        log.info("drained", cut=cut)

    async def _flush(self, sending: asyncio.Task[None]) -> None:
        self.sender.finish()
        try:
            async with asyncio.timeout(self.settings.flush_timeout_s):
                await asyncio.shield(sending)
        except TimeoutError:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        lost = self.sender.abandon(Drop.SHUTDOWN)
        self.client.close()
        stats = self.ledger.snapshot()
        log.info("stopped", notSent=lost, seen=stats["seen"], captured=stats["captured"], dropped=stats["dropped"])


def _spill(settings: Settings) -> Spill | None:
    if not settings.spill_max_bytes:
        return None
    return Spill(
        max_bytes=settings.spill_max_bytes,
        block_bytes=settings.batch_max_bytes,
        directory=settings.spill_dir,
        stage_bytes=max(STAGE_BYTES, settings.queue_max_bytes // 4),
    )


def _token_reader(path: str) -> Callable[[], str]:
    """Return a reader of the token that notices when the file was renewed; "" when it cannot be read."""
    if not path:
        return lambda: ""
    kept: tuple[int, str] = (0, "")

    def read() -> str:
        nonlocal kept
        with contextlib.suppress(OSError):
            changed = os.stat(path).st_mtime_ns
            if changed != kept[0]:
                kept = (changed, Path(path).read_text("utf-8").strip())
        return kept[1]

    return read
