"""What the HTTP server says of requests that are none, without their bytes: these may be payload, or a key.

Made by `server`, called by aiohttp.
"""

from __future__ import annotations

import logging

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from .metrics import Metrics

log = structlog.get_logger()


class _WireLog(logging.Handler):
    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.DEBUG)
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._metrics.request("none", "malformed", 0.0)
            log.warning("request_not_understood", cause=type(error).__name__)
        elif record.levelno >= logging.WARNING:
            log.error("http_fault", cause=type(error).__name__)


def logger(metrics: Metrics) -> logging.Logger:
    """Return a logger for aiohttp's server that belongs to one backend alone."""
    made = logging.Logger("cloud.http", logging.DEBUG)
    made.addHandler(_WireLog(metrics))
    return made
