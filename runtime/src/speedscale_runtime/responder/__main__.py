"""`speedscale-responder`: settings from the environment, a responder, signals. Composition only."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from speedscale_runtime.telemetry import logs, statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_schemas.errors import ConfigError

from .config import parse
from .loader import Loaded
from .metrics import ResponderCollector
from .uploading import Uploading


def main() -> int:
    """Serve until SIGTERM or SIGINT; exit code 0, or 2 when the settings or files are wrong."""
    try:
        settings = parse(os.environ)
        logs.configure("responder", settings.log_level)
        loaded = Loaded(settings)
    except ConfigError as error:
        for problem in error.problems:
            print(f"speedscale-responder: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    _settle()
    try:
        uvloop.run(_serve(loaded))
    except ConfigError as error:
        print(f"speedscale-responder: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:  # the disk of the results, mostly
        print(f"speedscale-responder: results are not whole: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


async def _serve(loaded: Loaded) -> None:
    log = structlog.get_logger()
    settings, responder = loaded.settings, loaded.responder
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await responder.start()
    except OSError as error:
        raise ConfigError([f"cannot listen: {error}"]) from error
    registry = CollectorRegistry()
    ResponderCollector(registry, loaded.counts, loaded.mocks, loaded.results, loaded.matcher)
    uploading = Uploading(settings, registry, loaded.results.flush)
    endpoints = None
    ports = dict(responder.ports)
    if settings.metrics_port >= 0:
        endpoints = Endpoints(registry, lambda: "", host=settings.host, port=settings.metrics_port)
        ports["metricsPort"] = endpoints.start()
    status = {
        "pid": os.getpid(),
        **ports,
        "snapshot": loaded.source.id,
        "mocks": loaded.mocks.answers,
        "unservable": loaded.mocks.unservable,
        "skipped": len(loaded.source.skipped()),
    }
    log.info("responder ready", **status)
    if settings.status_file is not None:
        statusfile.write(settings.status_file, status)
    bringing = loop.create_task(uploading.run())
    await stopped.wait()
    await responder.stop()
    await uploading.close(bringing)
    if endpoints is not None:
        endpoints.stop()
    log.info("responder stopped", **loaded.results.totals(loaded.mocks))


def _settle() -> None:
    """Give loading's memory back, and spare the collector the mocks, which live as long as the process."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc keeps it otherwise; other libraries lack the call


if __name__ == "__main__":
    sys.exit(main())
