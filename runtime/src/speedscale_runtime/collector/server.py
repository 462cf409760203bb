"""The collector as a running service: the only owner of its sockets, threads and tasks.

Start: take what an earlier run of this pod has left, follow the pods under test, wait for the certificate, listen. End,
at SIGTERM: stop taking, stop following. What was acknowledged is on disk until the pod itself goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from speedscale_kube import Client, load
from speedscale_runtime.telemetry import statusfile, watched
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_runtime.telemetry.watched import Watched
from speedscale_schemas.errors import ConfigError

from .access import Access, read_tokens
from .asking import Desk
from .config import Settings
from .follower import Follower
from .http import Face
from .metrics import Metrics
from .rings import Rings
from .snapshot import Giver
from .store import Store

log = structlog.get_logger()
_LOOK_S = 1.0
_GRACE_S = 5.0


class Server:
    """One collector; `run` returns after SIGTERM, SIGINT or `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        self._metrics = metrics = Metrics(self._registry)
        self._stopping = asyncio.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._pair: Watched[tuple[Path, Path]] = Watched(settings.certificate, self._load_pair, beside=(settings.key,))
        tokens = Watched(settings.tokens, read_tokens)
        files: dict[str, Watched[Any]] = {"certificate": self._pair, "tokens": tokens}
        watched.export(self._registry, "collector", files)
        self._store = Store(settings.results, settings.results_max_bytes)
        metrics.stored_bytes.set(self._store.size)
        rings = Rings(settings.results / "logs", settings.log_max_bytes, metrics.log_dropped.inc)
        self._follower = Follower(settings.workload, lambda: _client(settings), rings, metrics, settings.follow_s)
        self._desk = Desk(settings, self._store, self._follower, rings, metrics)
        self._giver = Giver(
            settings.results / "snapshot",
            settings.snapshot_id,
            settings.backend,
            metrics,
            expected=settings.gives_snapshot,
        )
        access = Access(tokens, settings.own_namespace, settings.namespaces)
        face = Face(self._store, self._giver, self._desk, access, metrics, settings.upload_max_bytes)
        self._app = face.application()
        self._why_not = "starting"

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until told to end. ConfigError when an address cannot be taken."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        ports: dict[str, int] = {}
        endpoints = None
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=_GRACE_S)
        fetching = loop.create_task(self._giver.run())
        self._follower.start()
        try:
            if settings.metrics_port is not None:
                endpoints = _served(self._registry, lambda: self._why_not, settings)
                ports["metricsPort"] = endpoints.start()
            if not await self._certified():
                return
            await runner.setup()
            ports["port"] = await self._listen(runner)
            self._why_not = ""
            if settings.status_file is not None:
                statusfile.write(settings.status_file, {"pid": os.getpid(), **ports})
            log.info("collector_ready", replay=settings.replay, bytes=self._store.size, **ports)
            await self._serve()
        finally:
            self._why_not = "ending"
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)
            await runner.cleanup()
            await self._desk.close()
            await asyncio.to_thread(self._follower.stop)
            if endpoints is not None:
                endpoints.stop()
        log.info("collector_stopped", replay=settings.replay)

    async def _certified(self) -> bool:
        """Wait for the certificate, which may come late; False when told to end before."""
        while self._pair.get() is None:
            self._why_not = "the Secret with the certificate is not there yet"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_S)
                return False
        return True

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            self._pair.get()  # loads a renewed one into the context that serves
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_S)

    async def _listen(self, runner: web.AppRunner) -> int:
        site = web.TCPSite(runner, self._settings.host, self._settings.port, ssl_context=self._tls)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError([f"COLLECTOR_HOST, COLLECTOR_PORT: cannot listen: {error}"]) from error
        return int(runner.addresses[0][1])

    def _load_pair(self, path: Path) -> tuple[Path, Path]:
        """Take a certificate and its key; tried apart first, so that a bad pair never reaches the serving context."""
        key = self._settings.key
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, key)
            self._tls.load_cert_chain(path, key)
        except ssl.SSLError as error:
            raise ValueError("certificate and key do not fit") from error
        return path, key


def _served(registry: CollectorRegistry, ready: object, settings: Settings) -> Endpoints:
    assert callable(ready)
    try:
        return Endpoints(registry, ready, host=settings.metrics_host, port=settings.metrics_port or 0)
    except OSError as error:
        raise ConfigError([f"METRICS_HOST, METRICS_HTTP_PORT: cannot listen: {error}"]) from error


def _client(settings: Settings) -> Client:
    return Client(load(settings.kubeconfig or None))
