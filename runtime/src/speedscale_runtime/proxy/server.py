"""The worker's driver: listeners, sender and signals on one event loop, from ready to drained.

Called by `worker`. The only owner of listeners and tasks; connections live in `relay`, what they share in `hub`.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

import structlog

from speedscale_runtime.recording.capture import Recorder
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.forwarder_client import ForwarderClient, token_of
from speedscale_runtime.recording.ledger import HEARTBEAT, Ledger
from speedscale_runtime.recording.outbox import Outbox
from speedscale_runtime.recording.sender import Sender
from speedscale_runtime.recording.spill import STAGE_BYTES, Spill

from .config import Settings
from .draining import Drain
from .hub import Hub
from .inbound import InboundFlow
from .relay import End

_BACKLOG = 4096
_HEARTBEAT_S = 1.0

log = structlog.get_logger()


class Server:
    """One worker's services."""

    def __init__(self, settings: Settings, ledger: Ledger, listeners: Mapping[Side, Sequence[socket.socket]]) -> None:
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
            token=token_of(settings.forwarder.token_file),
        )
        self.other_ports: frozenset[int] = frozenset()  # further ports of ours: health and metrics
        self.hub = Hub(settings, ledger, self.outbox, self._loop)
        self.hub.own_ports = frozenset(s.getsockname()[1] for found in self._listeners.values() for s in found)

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
        for side, sockets in self._listeners.items():
            accept = self._acceptor(side)
            for sock in sockets:
                self._servers.append(await self._loop.create_server(accept, sock=sock, backlog=_BACKLOG))
        self._beat()
        ready()
        await self._stopping.wait()
        listening: list[asyncio.Server | socket.socket] = [*self._servers]
        listening += [sock for found in self._listeners.values() for sock in found]
        await Drain(self.settings, self.hub, self.sender, sending).run(listening, self.other_ports)
        self.client.close()
        self.hub.close()
        stats = self.ledger.snapshot()
        shown = {name: stats[name] for name in ("seen", "captured", "dropped")}
        log.info("stopped", notSent=self.ledger.get("dropped.shutdown"), **shown)

    def _acceptor(self, side: Side) -> Callable[[], End]:
        hub = self.hub
        if side is Side.IN:
            return lambda: InboundFlow(hub).client
        from .outbound import OutboundFlow

        return lambda: OutboundFlow(hub).client

    def _beat(self) -> None:
        self.ledger.cells[HEARTBEAT] = time.monotonic_ns()
        self._loop.call_later(_HEARTBEAT_S, self._beat)


def _spill(settings: Settings) -> Spill | None:
    if not settings.spill_max_bytes:
        return None
    return Spill(
        max_bytes=settings.spill_max_bytes,
        block_bytes=settings.batch_max_bytes,
        directory=settings.spill_dir,
        stage_bytes=max(STAGE_BYTES, settings.queue_max_bytes // 4),
    )
