"""The backend as a running service: the only owner of its sockets, files, threads and tasks.

Start: lock the journal, open the database, clear away what a crash left, listen, say where. End: take nothing more,
finish what is in hand, bring the journal into Parquet, leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from speedscale_runtime.spool import Committer, Limits, SegmentLog, SpoolLocked
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_runtime.telemetry.watched import Watched, read_text
from speedscale_schemas.errors import ConfigError

from . import objects, wirelog
from .audit import Audit
from .clusters import Clusters
from .config import Settings, usable
from .database import Database
from .documents import Documents
from .http import Face, Services
from .identity import ServerIdentity
from .intake import Intake
from .keys import Failures, Keys
from .metrics import Metrics
from .objects import ObjectStore, Unavailable
from .problems import Refused
from .replays import Replays
from .reports import Reports
from .snapshots import Snapshots
from .traffic import TrafficStore

log = structlog.get_logger()

_HOUSEKEEPING_S = 1.0
_UPKEEP_S = 60.0
_GRACE_S = 15.0
_DAY_NS = 86400 * 10**9


class Backend:
    """One backend; `run` returns after SIGTERM, SIGINT or `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._stopping = asyncio.Event()
        self._started = False
        self._problem = ""
        self.port = 0
        self.metrics_port = 0

    def stop(self) -> None:
        """Begin the end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until told to end; ConfigError when it cannot begin."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        endpoints = self._endpoints()
        self.metrics_port = endpoints.start()
        try:
            async with contextlib.AsyncExitStack() as stack:
                services = self.services = await self._services(stack)
                await self._serve(services, stack)
        finally:
            await asyncio.to_thread(endpoints.stop)
        log.info("stopped")

    async def _services(self, stack: contextlib.AsyncExitStack) -> Services:
        """Open everything that holds state; it is closed again in the opposite order."""
        settings, metrics = self._settings, self._metrics
        folder = settings.data_dir
        self._journal = _open_journal(settings)
        stack.callback(self._journal.close)
        self._report_recovery()
        database = Database(folder / "cloud.sqlite")
        stack.callback(database.close)
        store = objects.create(folder, settings.bucket)
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        committer = Committer(self._journal, asyncio.get_running_loop(), lambda: None)
        intake = Intake(
            self._journal,
            committer,
            metrics,
            max_batch_bytes=settings.max_batch_bytes,
            max_inflight_bytes=settings.max_inflight_bytes,
        )
        traffic = TrafficStore(
            self._journal,
            database,
            store,
            metrics,
            folder=work / "traffic",
            memory_bytes=settings.query_memory_bytes,
            dedup_pairs=settings.dedup_pairs,
            round_bytes=max(settings.compact_after_bytes, 1 << 20),
        )
        stack.push_async_callback(traffic.close)
        committer.start()
        stack.push_async_callback(asyncio.to_thread, committer.stop)
        keys = Keys(database, _given_key(settings), settings.api_key_labels)
        await keys.open()
        stack.push_async_callback(keys.write_use)
        services = Services(
            settings=settings,
            metrics=metrics,
            keys=keys,
            failures=Failures(),
            audit=Audit(database, metrics, settings.audit_max_rows),
            intake=intake,
            traffic=traffic,
            snapshots=Snapshots(database, store, traffic, work),
            documents=Documents(database),
            replays=Replays(database),
            reports=Reports(database, store, work, url=settings.url, max_bytes=settings.results_max_bytes),
            clusters=Clusters(database, metrics),
            folder=work,
        )
        stack.push_async_callback(asyncio.to_thread, services.close)
        stack.push_async_callback(intake.stop)
        await self._open_store(services, store)
        return services

    async def _open_store(self, services: Services, store: ObjectStore) -> None:
        """Open what lies in the object store; wait for one that is away, visibly, until told to end."""
        while not self._stopping.is_set():
            try:
                await services.traffic.open()
                await services.work(services.snapshots.clear)
                await services.work(services.reports.clear)
            except (Refused, Unavailable) as error:
                if not self._problem:
                    log.error("object_store_unavailable", cause=str(error))
                self._problem = f"object store: {error}"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), 2.0)
                continue
            self._problem = ""
            return

    async def _serve(self, services: Services, stack: contextlib.AsyncExitStack) -> None:
        context = await self._certificate()
        if self._stopping.is_set():
            return
        runner = web.AppRunner(
            Face(services).application(),
            access_log=None,
            shutdown_timeout=_GRACE_S,
            auto_decompress=False,
            logger=wirelog.logger(self._metrics),
            handler_cancellation=True,  # a caller who leaves ends its command
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._settings.host, self._settings.port, ssl_context=context, backlog=512)
        try:
            await site.start()
        except OSError as error:
            place = f"{self._settings.host}:{self._settings.port}"
            raise ConfigError([f"CLOUD_PORT: cannot listen on {place}: {error.strerror}"]) from error
        self.port = int(runner.addresses[0][1])
        keeping = asyncio.create_task(self._housekeeping(services), name="housekeeping")
        keeping.add_done_callback(lambda _: self._stopping.set())
        self._started = True
        self._announce()
        await self._stopping.wait()
        log.info("stopping")
        await services.clusters.close()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if not keeping.cancelled() and (error_ := keeping.exception()) is not None:
            raise error_

    async def _certificate(self) -> ssl.SSLContext | None:
        """Return the context with our certificate, None where none is set; wait for one that comes late."""
        self._identity = ServerIdentity(self._settings.tls_cert_file, self._settings.tls_key_file)
        while self._settings.tls_cert_file and self._identity.refresh() is None and not self._stopping.is_set():
            self._problem = "no certificate yet: CLOUD_TLS_CERT_FILE"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)
        self._problem = ""
        return self._identity.context

    async def _housekeeping(self, services: Services) -> None:
        upkeep_at = 0.0
        settings, failing = self._settings, ""
        while True:
            size, seconds = services.traffic.waiting()
            self._metrics.journal(self._journal.size, size, services.intake.inflight_bytes)
            self._identity.refresh()
            try:
                if size >= settings.compact_after_bytes or seconds >= settings.compact_after_s:
                    await services.traffic.flush()
                if time.monotonic() >= upkeep_at:
                    upkeep_at = time.monotonic() + _UPKEEP_S
                    before = time.time_ns() - settings.retention_days * _DAY_NS if settings.retention_days else None
                    await services.traffic.upkeep(received_before_ns=before, max_bytes=settings.traffic_max_bytes)
                    await services.keys.write_use()
                    await services.audit.trim()
                failing = ""
            except Refused as refused:  # a full disk, a store that is away: told once, tried again
                if failing != refused.reason.value:
                    log.error("upkeep_failing", reason=refused.reason.value, cause=refused.message)
                failing = refused.reason.value
            self._problem = f"storing fails: {failing}" if failing and not self._journal.room(0) else ""
            await asyncio.sleep(_HOUSEKEEPING_S)

    def _endpoints(self) -> Endpoints:
        host, port = self._settings.metrics_host, self._settings.metrics_port
        try:
            return Endpoints(self._registry, self._not_ready, host=host, port=port)
        except OSError as error:
            raise ConfigError([f"METRICS_HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}"]) from error

    def _not_ready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        return self._problem or ("" if self._started else "starting")

    def _announce(self) -> None:
        log.info("listening", port=self.port, metrics_port=self.metrics_port, s3=self._settings.bucket is not None)
        if self._settings.status_file:
            document = {"pid": os.getpid(), "port": self.port, "metricsPort": self.metrics_port}
            statusfile.write(self._settings.status_file, document)

    def _report_recovery(self) -> None:
        found = self._journal.recovery
        if found.records or found.torn_bytes or found.damage:
            log.info("journal_recovered", records=found.records, pairs=found.pairs, torn_bytes=found.torn_bytes)
        for file, offset, size in found.damage:
            log.error("journal_damaged", file=file, offset=offset, bytes=size)


def _given_key(settings: Settings) -> Callable[[], str]:
    """Return what gives the key of the environment: of a file that may come late and change, or of a variable."""
    if not settings.api_key_file:
        return lambda: settings.api_key

    def load(path: Path) -> str:
        key = read_text(path)
        if not usable(key):
            raise ValueError("no API key")
        return key

    watched = Watched(settings.api_key_file, load)
    return lambda: watched.get() or ""


def _open_journal(settings: Settings) -> SegmentLog:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return SegmentLog(folder / "journal", Limits(settings.journal_max_bytes, settings.journal_segment_bytes))
    except SpoolLocked as error:
        raise ConfigError([f"DATA_DIR: {error}; end it, or give this one a folder of its own"]) from error
    except OSError as error:
        raise ConfigError([f"DATA_DIR: {folder}: {error.strerror}"]) from error
