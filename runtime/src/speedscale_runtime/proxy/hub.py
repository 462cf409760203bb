"""What all connections of a worker share. Plain state; the driver is `server`, the path of bytes is `relay`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from .config import Settings
from .ledger import Ledger
from .outbox import Outbox

if TYPE_CHECKING:
    from .intercept import Interceptor
    from .relay import Flow

_FAULTS_LOGGED = 20

log = structlog.get_logger()


class Hub:
    """Settings, counters, outbox, and the set of open connections."""

    def __init__(self, settings: Settings, ledger: Ledger, outbox: Outbox, loop: Any) -> None:
        self.settings = settings
        self.cells = ledger.cells
        self.outbox = outbox
        self.loop = loop
        self.flows: set[Flow] = set()
        self.own_ports: frozenset[int] = frozenset()
        self.on_idle: Callable[[], None] = lambda: None
        self._number = 0
        self._faults = 0
        self._interceptor: Interceptor | None = None

    def next_number(self) -> int:
        """Return a running number for a connection."""
        self._number += 1
        return self._number

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

    def interceptor(self) -> Interceptor:
        """Return the TLS interceptor; its libraries are loaded here, at the first TLS connection."""
        if self._interceptor is None:
            from .intercept import Interceptor

            self._interceptor = Interceptor(self.settings)
        return self._interceptor
