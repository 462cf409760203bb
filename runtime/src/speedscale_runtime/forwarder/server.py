"""The forwarder as a running service: the only owner of its sockets, files, threads and tasks.

Start: lock and recover the spool, load rules, listen, start exporters, say where we listen. End: stop taking,
finish what is in hand, let exporters catch up for a while, leave. What is not exported by then stays in the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import time
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from speedscale_runtime.spool import Committer, Cursors, Limits, SegmentLog, SpoolLocked
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_schemas.errors import ConfigError

from . import exporters, wirelog
from .access import Access
from .ages import Clock
from .config import Settings
from .core import Pipeline
from .exporter_specs import ExporterSpec
from .http import Face
from .identity import ServerIdentity
from .intake import Intake
from .metrics import Metrics
from .retention import Lag, decide
from .rules import RuleSet
from .runner import Runner

log = structlog.get_logger()

_HOUSEKEEPING_S = 0.5
_BUSY_S = 1.0
_ACCEPT_GRACE_S = 5.0


class Forwarder:
    """One forwarder; `run` returns after SIGTERM, SIGINT or `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._stopping = asyncio.Event()
        self._cut_off: frozenset[str] = frozenset()
        self._runners: dict[str, Runner] = {}
        self._rules = RuleSet(settings.home, settings.dlp_key_path, settings.filter_rule, settings.dlp_config)
        self._exporter_rules: dict[str, RuleSet] = {}
        self._started = False
        self._expired_pairs = 0  # how many pairs there were when a segment was last begun for their age
        self.port = 0
        self.metrics_port = 0

    def stop(self) -> None:
        """Begin the end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until told to end; ConfigError when it cannot begin."""
        settings = self._settings
        access = Access(settings.token_file)
        self._identity = ServerIdentity(settings.tls_cert_file, settings.tls_key_file)
        endpoints = self._endpoints()
        self._spool = _open_spool(settings)
        self._clock = Clock(settings.spool_dir)
        self._report_recovery()
        committer = self._committer = Committer(
            self._spool,
            asyncio.get_running_loop(),
            self._wake_runners,
            window_s=settings.spool_commit_window_s if settings.spool_fsync == "group" else 0.0,
            each=settings.spool_fsync == "each",
        )
        if settings.spool_fsync == "none":
            log.warning("spool_not_synced", setting="SPOOL_FSYNC")
        self._intake = Intake(
            self._spool,
            committer,
            self._metrics,
            max_batch_bytes=min(settings.max_batch_bytes, settings.spool_max_bytes // 2),  # else it never fits
            max_inflight_bytes=settings.max_inflight_bytes,
            clock_ns=self._clock.now_ns,
        )
        await self._refresh_rules()
        if not settings.dlp_config:
            log.warning("redaction_off", setting="WITH_DLP")
        cursors = Cursors(settings.spool_dir / "cursors")
        for spec in settings.exporters:
            self._runners[spec.name] = self._runner(spec, cursors)
        committer.start()
        web_runner = self._web_runner(access)
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._listen(web_runner, self._identity.context)
            self.metrics_port = endpoints.start()
            tasks += self._start_tasks(access)
            self._announce()
            await self._stopping.wait()
            await self._wind_down(web_runner, tasks[:-1])
        finally:
            await self._let_go(tasks, web_runner, endpoints, committer)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _web_runner(self, access: Access) -> web.AppRunner:
        face = Face(self._intake, access, self._metrics, self.status)
        return web.AppRunner(
            face.application(self._settings.max_batch_bytes),
            access_log=None,
            shutdown_timeout=_ACCEPT_GRACE_S,
            auto_decompress=False,  # done by the worker, with a limit
            logger=wirelog.logger(self._metrics.refuse),
        )

    def _start_tasks(self, access: Access) -> list[asyncio.Task[None]]:
        """Start the exporters, and housekeeping as the last; take signals from now on."""
        tasks = [asyncio.create_task(r.run(), name=f"export-{n}") for n, r in self._runners.items()]
        tasks.append(asyncio.create_task(self._housekeeping(access), name="housekeeping"))
        for task in tasks:
            task.add_done_callback(self._ended)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        self._started = True
        return tasks

    async def _let_go(
        self,
        tasks: list[asyncio.Task[None]],
        web_runner: web.AppRunner,
        endpoints: Endpoints,
        committer: Committer,
    ) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await web_runner.cleanup()
        if self.metrics_port:
            await asyncio.to_thread(endpoints.stop)
        committer.stop()
        for runner in self._runners.values():
            await runner.close()
        self._spool.close()
        log.info("stopped")

    def status(self) -> dict[str, Any]:
        """Return the document of GET /v1/status."""
        m, spool = self._metrics, self._spool
        recovery = spool.recovery
        return {
            "ready": self._not_ready() or "ok",
            "received": {"batches": m.batches["stored"], "pairs": m.pairs["received"], "bytes": m.received_bytes},
            "stored": {"pairs": m.pairs["stored"]},
            "duplicates": m.batches["duplicate"],
            "filtered": dict(m.filtered),
            "redacted": dict(m.redacted),
            "redactedBy": m.decided_by_rule(),
            "undecodable": m.undecodable,
            "dropped": dict(m.dropped),
            "refused": dict(m.refused),
            "redaction": self._settings.dlp_config or "off",
            "redactionEvictions": m.evictions,
            "redactionMemories": {name: {"hits": h, "misses": n} for name, (h, n) in m.lookups.items()},
            "rules": self._rules.problem or "ok",
            "rulesState": str(self._rules.state),
            "spool": {
                "bytes": spool.size,
                "maxBytes": self._settings.spool_max_bytes,
                "segments": len(spool.segments()),
                "recoveredPairs": recovery.pairs,
                "tornBytes": recovery.torn_bytes,
                "damage": [{"file": f, "offset": o, "bytes": n} for f, o, n in recovery.damage],
            },
            "exporters": {
                name: {
                    **runner.status(),
                    "cutOff": name in self._cut_off,
                    "rules": self._exporter_rules[name].problem or "ok",
                    "rulesState": str(self._exporter_rules[name].state),
                }
                for name, runner in self._runners.items()
            },
        }

    def _endpoints(self) -> Endpoints:
        host, port = self._settings.metrics_host, self._settings.metrics_port
        try:
            return Endpoints(self._registry, self._not_ready, host=host, port=port)
        except OSError as error:
            raise ConfigError([f"METRICS_HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}"]) from error

    def _runner(self, spec: ExporterSpec, cursors: Cursors) -> Runner:
        rules = self._exporter_rules[spec.name] = RuleSet(
            self._settings.home, self._settings.dlp_key_path, spec.filter_rule, spec.dlp_config
        )
        rules.refresh()
        self._metrics.rules(spec.name, rules.state)
        if rules.problem:
            log.error("exporter_rules_missing", exporter=spec.name, problem=rules.problem)
        since = cursors.saved_at(spec.name)
        if since is None:  # from now on a cursor tells what this exporter may have written
            since = time.time()
            with contextlib.suppress(OSError):
                cursors.save(spec.name, cursors.load(spec.name))
        return Runner(
            spec.name,
            exporters.create(spec, since),
            self._spool,
            cursors,
            rules,
            self._settings.cluster,
            self._metrics,
            lambda: time.monotonic() - self._intake.last_batch_at < _BUSY_S,
            self._clock.wall_ns,
        )

    async def _listen(self, runner: web.AppRunner, tls: ssl.SSLContext | None) -> None:
        await runner.setup()
        site = web.TCPSite(runner, self._settings.host, self._settings.port, ssl_context=tls, backlog=512)
        try:
            await site.start()
        except OSError as error:
            place = f"{self._settings.host}:{self._settings.port}"
            raise ConfigError([f"FORWARDER_PORT: cannot listen on {place}: {error.strerror}"]) from error
        self.port = int(runner.addresses[0][1])

    def _announce(self) -> None:
        log.info("listening", port=self.port, metrics_port=self.metrics_port, exporters=sorted(self._runners))
        if not self._settings.status_file:
            return
        document = {
            "pid": os.getpid(),
            "port": self.port,
            "metricsPort": self.metrics_port,
            "problem": self._rules.problem,
        }
        statusfile.write(self._settings.status_file, document)

    async def _housekeeping(self, access: Access) -> None:
        rules_at = time.monotonic()
        while True:
            self._retain()
            self._metrics.spool(self._spool.size, self._intake.inflight_bytes, self._load())
            if self._intake.pipeline is not None:
                self._metrics.evicted(self._intake.pipeline.evictions)
                self._metrics.looked_up(self._intake.pipeline.lookups)
            reload_s = self._settings.rule_reload_s
            if reload_s and time.monotonic() - rules_at >= reload_s:
                rules_at = time.monotonic()
                await self._refresh_rules()
                self._refresh_tokens(access)
                self._refresh_identity()
            await asyncio.sleep(_HOUSEKEEPING_S)

    def _load(self) -> float:
        spool = self._spool.size / self._settings.spool_max_bytes
        return min(1.0, max(spool, self._intake.inflight_bytes / self._settings.max_inflight_bytes))

    def _retain(self) -> None:
        """Decide who holds the spool back, and give disk back."""
        self._expire()
        lags = {}
        for name, runner in self._runners.items():
            size, pairs = runner.lag()
            age_s = self._age_s(runner)
            lags[name] = Lag(runner.delivered, size, age_s)
            self._metrics.lag(name, size, pairs, age_s, name in self._cut_off)
        need_room = self._spool.size + self._settings.spool_segment_bytes > self._settings.spool_max_bytes
        limit = self._settings.exporter_max_lag_bytes
        limit_s = self._settings.exporter_max_lag_s
        verdict = decide(lags, self._cut_off, limit, need_room=need_room, limit_s=limit_s)
        for name in verdict.cut_off - self._cut_off:
            self._metrics.exporter(name, "cutoffs")
            log.error("exporter_cut_off", exporter=name, lag_bytes=lags[name].bytes)
        for name in self._cut_off - verdict.cut_off:
            log.info("exporter_caught_up", exporter=name)
        self._cut_off = verdict.cut_off
        self._spool.release(verdict.release)

    def _age_s(self, runner: Runner) -> float:
        since_ns = self._spool.waiting_since(runner.delivered)
        return max(0.0, self._clock.now() - since_ns / 1e9) if since_ns else 0.0

    def _expire(self) -> None:
        """Delete what is older than traffic may be kept here, whoever does not have it; readers count it as lost."""
        if not self._settings.spool_max_age_s:
            return
        before_ns = int((self._clock.now() - self._settings.spool_max_age_s) * 1e9)
        place = self._spool.expired(before_ns)
        if place > self._spool.end and self._spool.total_pairs > self._expired_pairs:
            self._expired_pairs = self._spool.total_pairs
            self._committer.roll()  # the segment that is written to is old as well
        if gone := self._spool.release(place):
            behind = [name for name, r in self._runners.items() if r.delivered < place]
            report = log.error if behind else log.info
            report("spool_expired", segments=len(gone), pairs=sum(s.pairs for s in gone), missing_in=behind)

    async def _refresh_rules(self) -> None:
        """Read rule files that changed; compiling takes a while, so not in the event loop."""
        if await self._refreshed("base", self._rules):
            self._intake.pipeline = Pipeline(self._rules.drop, self._rules.redactor, self._settings.cluster)
        for name, rules in self._exporter_rules.items():
            if await self._refreshed(name, rules):
                self._runners[name].wake()

    async def _refreshed(self, use: str, rules: RuleSet) -> bool:
        """Look at the rules of one use; say whether they are new. What is wrong shows in log, status and metric."""
        problem = rules.problem
        changed = await asyncio.to_thread(rules.refresh)
        self._metrics.rules(use, rules.state)
        if changed:
            self._metrics.reloaded(True)
            log.info("rules_loaded", use=use, filter=rules.filter_name, dlp=rules.dlp_name or "off")
        if rules.problem and rules.problem != problem:
            self._metrics.reloaded(False)
            log.error("rules_not_loaded", use=use, problem=rules.problem, last_good_stays=rules.loaded)
        return changed

    def _refresh_tokens(self, access: Access) -> None:
        try:
            access.refresh()
        except ConfigError as error:
            log.error("tokens_not_loaded", problem=error.problems[0])

    def _refresh_identity(self) -> None:
        try:
            if self._identity.refresh():
                log.info("certificate_loaded")
        except ConfigError as error:
            log.error("certificate_not_loaded", problem=error.problems[0])

    def _not_ready(self) -> str:
        if not self._started:
            return "starting"
        if self._stopping.is_set():
            return "stopping"
        if not self._rules.loaded:
            return f"rules: {self._rules.problem}"
        if not self._spool.room(0):
            return "spool full: exporters are behind"
        return ""

    async def _wind_down(self, runner: web.AppRunner, delivering: list[asyncio.Task[None]]) -> None:
        log.info("stopping")
        self._intake.close()
        for site in list(runner.sites):
            await site.stop()
        await self._intake.stop()
        for exporter in self._runners.values():
            exporter.drain()
        _, late = await asyncio.wait(delivering, timeout=self._settings.drain_timeout_s)
        for task in late:
            log.warning("drain_incomplete", task=task.get_name())

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that fails is a bug: end the service instead of going on half."""
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", task=task.get_name(), cause=type(task.exception()).__name__)
            self._stopping.set()

    def _wake_runners(self) -> None:
        for runner in self._runners.values():
            runner.wake()

    def _report_recovery(self) -> None:
        found = self._spool.recovery
        self._metrics.damaged("torn", found.torn_bytes)
        if found.records or found.torn_bytes or found.damage:
            log.info("spool_recovered", records=found.records, pairs=found.pairs, torn_bytes=found.torn_bytes)
        for file, offset, size in found.damage:
            self._metrics.damaged("damage", size)
            log.error("spool_damaged", file=file, offset=offset, bytes=size)


def _open_spool(settings: Settings) -> SegmentLog:
    try:
        limits = Limits(settings.spool_max_bytes, settings.spool_segment_bytes)
        fsync = _no_sync if settings.spool_fsync == "none" else os.fsync
        return SegmentLog(settings.spool_dir, limits, fsync=fsync)
    except SpoolLocked as error:
        raise ConfigError([f"SPOOL_DIR: {error}; end it, or give this one a SPOOL_DIR of its own"]) from error
    except OSError as error:
        raise ConfigError([f"SPOOL_DIR: {settings.spool_dir}: {error.strerror}"]) from error


def _no_sync(fd: int) -> None:
    """Leave it to the kernel when bytes reach the disk: they outlive this process, not the machine."""
