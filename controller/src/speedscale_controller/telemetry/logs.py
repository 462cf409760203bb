"""structlog, set up once per process: JSON where nobody watches, text on a terminal; the level can change later.

Events are constant names with keys; never bodies, header values or payload.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog

_LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}
_threshold = logging.INFO


def configure(process: str, level: str = "info") -> None:
    """Send this process's log events to stderr, bound to `process`; unknown levels mean info."""
    set_level(level)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            _above_threshold,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _bind(process),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )


class _Stderr:
    """Standard error as it is at each line: loggers are kept, what stands behind them may change."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def set_level(level: str) -> None:
    """Let events of `level` and above through from now on, in every thread; unknown levels mean info."""
    global _threshold
    _threshold = _LEVELS.get(level.lower(), logging.INFO)


def _above_threshold(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if _LEVELS.get(method, logging.ERROR) < _threshold:
        raise structlog.DropEvent
    return event


def _bind(process: str) -> structlog.typing.Processor:
    """Return who adds the process's name; a context variable would not reach threads."""

    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    return add
