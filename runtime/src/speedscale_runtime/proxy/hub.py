"""What all connections of a worker share, and the moment at which what passed is looked at.

Made by `server`; connections (`relay`) note a copy of what went on, and what was noted is looked at together, up to
`LOOK_S` later: looking delays hardly any bytes, and costs less than between them. What is noted is bounded:
`NOTES_MAX` pieces, none over `NOTE_BYTES`; beyond that it is looked at in place, as nothing may be lost. What the hub
asks of a connection is `Connection`; how bytes travel is not its business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from speedscale_runtime.protocols.http1 import Known, Observer
from speedscale_runtime.recording.capture import Facts
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.recording.outbox import Outbox

from .config import Settings
from .destination import Own
from .reverse_names import ReverseNames

if TYPE_CHECKING:
    from .diagnostics import Diary
    from .tls_memory import Interceptor

NOTES_MAX = 64
LOOK_S = 0.001
NOTE_BYTES = 16384
_FAULTS_LOGGED = 20

_time_ns = time.time_ns

log = structlog.get_logger()


class Connection(Protocol):
    """A connection of a client with its server, to be looked at and to be ended."""

    @property
    def client(self) -> Source:
        """The end towards the client."""
        ...

    @property
    def observer(self) -> Observer | None:
        """What looks at it; None: nobody does, or does any more."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        ...

    @property
    def idle(self) -> bool:
        """Whether it is between two exchanges."""
        ...

    def stop_looking(self, data: bytes, *, from_client: bool) -> None:
        """The observer understands no more; `data` is what it saw last."""
        ...

    def on_fault(self, error: Exception) -> None:
        """Looking failed by a bug of ours."""
        ...

    def close(self) -> None:
        """End it after what is buffered was written."""
        ...

    def abort(self) -> None:
        """End it now."""
        ...


class Source(Protocol):
    """One end of a connection: where a piece came from."""

    @property
    def flow(self) -> Connection:
        """The connection."""
        ...


class Hub:
    """Settings, counters, outbox, and the set of open connections."""

    def __init__(self, settings: Settings, ledger: Ledger, outbox: Outbox, loop: Any) -> None:
        self.settings = settings
        self.cells = ledger.cells
        self.outbox = outbox
        self.loop = loop
        self.flows: set[Connection] = set()
        self.known = Known()
        self._notes: list[tuple[Source, bytes, int]] = []
        self.own_ports: frozenset[int] = frozenset()
        self.on_idle: Callable[[], None] = lambda: None
        self._number = 0
        self._faults = 0
        self.own = Own()
        self.transparent = settings.proxy_type == "transparent"
        self.names = ReverseNames(loop) if settings.host_resolution != "none" and self.transparent else None
        self.diary: Diary | None = None
        if settings.diagnostics_dir:
            from .diagnostics import Diary

            self.diary = Diary(settings.diagnostics_dir)
        self._interceptors: dict[Side, Interceptor] = {}

    def next_number(self) -> int:
        """Return a running number for a connection."""
        self._number += 1
        return self._number

    def note(self, end: Source, data: bytes) -> None:
        """Keep a copy of what came from `end`, with the time, for a short while."""
        notes = self._notes
        notes.append((end, data, _time_ns()))
        if len(data) > NOTE_BYTES or len(notes) >= NOTES_MAX:
            self.look()
        elif len(notes) == 1:
            self.loop.call_later(LOOK_S, self.look)

    def look(self) -> None:
        """Look at what was noted. Also to be called before a connection's end is looked at: order matters."""
        notes = self._notes
        if not notes:
            return
        self._notes = []
        for end, data, now_ns in notes:
            flow = end.flow
            observer = flow.observer
            if observer is None:
                continue
            facts = flow.facts
            try:
                if end is flow.client:
                    facts.bytes_in += len(data)
                    observer.feed_request(data, now_ns)
                else:
                    facts.bytes_out += len(data)
                    observer.feed_response(data, now_ns)
            except Exception as error:
                flow.on_fault(error)
                continue
            if not observer.active:
                flow.stop_looking(data, from_client=end is flow.client)

    def on_flow_ended(self) -> None:
        """A connection closed."""
        if not self.flows:
            self.on_idle()

    def on_fault(self, error: Exception) -> None:
        """Log a bug of ours, the first few times; its place, never the data it choked on."""
        self._faults += 1
        if self._faults <= _FAULTS_LOGGED:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
            log.error("fault", kind=type(error).__name__, place=place)

    def interceptor(self, side: Side) -> Interceptor:
        """Return a direction's TLS interceptor; its libraries are loaded here, at the first TLS connection."""
        found = self._interceptors.get(side)
        if found is None:
            from .tls_memory import Interceptor

            found = self._interceptors[side] = Interceptor(self.settings, side)
        return found

    def close(self) -> None:
        """End what runs beside the connections."""
        if self.names is not None:
            self.names.close()
        if self.diary is not None:
            self.diary.close()
