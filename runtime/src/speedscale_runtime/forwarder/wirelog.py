"""What the HTTP server says of requests that are none, without their bytes.

aiohttp logs a request that it cannot read with a traceback and an excerpt. The excerpt may be payload, for a sender
whose lengths are wrong, and the forwarder's log is read by people who must not see traffic: only the class of the
fault is kept. Made by `server`, called by aiohttp.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from .refusals import Reason

log = structlog.get_logger()


class WireLog(logging.Handler):
    """Turns records of aiohttp's server into our events; `refuse` counts what was no HTTP request."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._refuse = refuse

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; its message is dropped, because its arguments may hold what a sender sent."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._refuse(Reason.HTTP)
            log.warning("request_not_understood", cause=type(error).__name__)
        elif record.levelno >= logging.WARNING:
            log.error("http_fault", cause=type(error).__name__, place=_place(error))


def logger(refuse: Callable[[str], None]) -> logging.Logger:
    """Return a logger for aiohttp's server that belongs to one forwarder alone."""
    made = logging.Logger("forwarder.http", logging.DEBUG)
    made.addHandler(WireLog(refuse))
    return made


def _place(error: BaseException | None) -> str:
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
