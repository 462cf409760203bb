"""The ingest as a process: line, table of sockets, outbox and sender, watches and listeners, on one event loop.

Owner of sockets, tasks and threads; everything that decides is elsewhere. Started by `__main__` with parsed settings in
the environment. It is ready once it listens for capture and knows what is to be captured: before that, and whenever
capture is away, nothing is captured, and traffic flows.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

# structlog loads what else is installed: `rich` for its console (8 MB), `greenlet` (1 MB). A DaemonSet writes JSON.
if not sys.stderr.isatty():
    for _name in ("rich", "greenlet"):
        sys.modules.setdefault(_name, None)  # type: ignore[arg-type]

import orjson
import structlog
import uvloop

from speedscale_runtime.recording.capture import Recorder
from speedscale_runtime.recording.causes import Drop
from speedscale_runtime.recording.config import Identity
from speedscale_runtime.recording.forwarder_client import ForwarderClient, token_of
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.recording.outbox import Outbox
from speedscale_runtime.recording.sender import Sender
from speedscale_runtime.telemetry import handover, program, statusfile
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_schemas.errors import ConfigError

from . import counters as numbers
from . import line as lines
from . import wire
from .choosing import Choice
from .config import SERVICE, Settings
from .counters import Counters
from .names import Names, NotDns
from .roster import Roster
from .sockets import Limits, Sockets

TICK_S: Final = 0.1
_LATE_S: Final = 0.5
_DOZE_TICKS: Final = 100
_SETTLE_S: Final = 0.05  # changes of the cluster come in flocks
_FAULTS_LOGGED: Final = 20
_PAIRS: Final = ("seen", "captured", "truncated", "dropped", "in_flight", "queue_bytes", "sent", "batch_retries")
"""Of the ledger, which has what a sidecar counts as well."""
_GC_THRESHOLD: Final = (20_000, 20, 50)

log = structlog.get_logger()


class Ingest:
    """One ingest; make it within a running loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.ledger = Ledger.create()
        self.counters = Counters()
        self.names = Names()
        self.roster = Roster(
            settings.cluster,
            settings.node,
            loopback=settings.loopback,
            node_traffic=settings.node_traffic,
            fixed=settings.fixed,
        )
        nobody = Identity("unknown", settings.cluster, "undefined", "", "", "", settings.node)
        recorder = Recorder(nobody, proxy_type="none", proxy_protocol="", reverse=("", 0))
        self.outbox = Outbox(
            recorder,
            self.ledger,
            limit=settings.queue_max_bytes,
            batch_max_bytes=settings.batch_max_bytes,
            spill=None,
        )
        self._client = ForwarderClient(settings.forwarder)
        self._sender = Sender(
            self.outbox,
            self._client,
            self.ledger,
            sender_id=str(uuid.uuid4()),
            epoch=time.time_ns(),
            linger_s=settings.batch_linger_s,
            compression=settings.forwarder.compression,
            token=token_of(settings.forwarder.token_file),
        )
        limits = Limits(
            sockets=settings.sockets_max,
            window_bytes=settings.window_max_bytes,
            memory_bytes=settings.memory_max_bytes,
            idle_ns=int(settings.idle_s * 1e9),
            max_body_bytes=settings.max_body_bytes,
            max_head_bytes=settings.max_head_bytes,
        )
        self.sockets = Sockets(limits, self.outbox, self.counters, self.names, self.roster.owner_of)
        self.sockets.on_fault = self._on_fault
        self._line: lines.Line | None = None
        self._hello: dict[str, Any] = {}
        self._unseen_tls: dict[str, str] = {}  # processes by name whose TLS no library gives
        self._cluster: Any = None
        self._choice = Choice({}, {})
        self._choosing = False
        self._ticked_s = 0.0
        self._ticks = 0

    # -- life

    def stop(self) -> None:
        """Begin to stop; `run` returns when done."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`, then hand over what is unfinished and send what is queued."""
        settings = self._settings
        sending = asyncio.create_task(self._sender.run())
        sock = lines.listen(settings.socket_path)
        server = await self._loop.create_unix_server(lambda: lines.Line(self, self.counters), sock=sock)
        api = self._endpoints(settings.api_port, {"/config": self._config, "/stats": self._stats})
        metrics = self._endpoints(settings.metrics_port, {})
        ports = {"apiPort": api.start(), "metricsPort": metrics.start(), "pid": os.getpid()}
        if settings.kubernetes:
            self._watch()
        self._tick()
        if settings.status_file:
            statusfile.write(settings.status_file, ports)
        log.info("started", kubernetes=settings.kubernetes, **ports)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)
        try:
            await self._stopping.wait()
        finally:
            server.close()
            if self._cluster is not None:
                self._cluster.close()
            if self._line is not None:
                self._line.close()
            self.sockets.stop()
            await self._flush(sending)
            for endpoint in (api, metrics):
                endpoint.stop()
            with contextlib.suppress(OSError):
                os.unlink(settings.socket_path)

    async def _flush(self, sending: asyncio.Task[None]) -> None:
        self._sender.finish()
        try:
            async with asyncio.timeout(self._settings.flush_timeout_s):
                await asyncio.shield(sending)
        except TimeoutError:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        lost = self._sender.abandon(Drop.SHUTDOWN)
        self._client.close()
        log.info("stopped", notSent=lost, seen=self.ledger.get("seen"), captured=self.ledger.get("captured"))

    def _tick(self) -> None:
        now_s = self._loop.time()
        late = bool(self._ticked_s) and now_s - self._ticked_s > _LATE_S
        self._ticked_s = now_s
        self._ticks += 1
        self.sockets.tick(late=late)
        if self._ticks % _DOZE_TICKS == 0:
            self.sockets.doze()
        self._loop.call_later(TICK_S, self._tick)

    # -- what is captured

    def _watch(self) -> None:
        from speedscale_kube import load

        from .cluster import Cluster

        settings = self._settings
        self._cluster = Cluster(
            load(settings.kubeconfig or None),
            node=settings.node,
            own_namespace=settings.namespace,
            namespaces=settings.namespaces,
            config_map=settings.config_map,
            targets_map=settings.targets_map,
            on_change=self._on_change,
        )
        self._cluster.start()

    def _on_change(self) -> None:
        """Hear of a change, in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: this process ends
            self._loop.call_soon_threadsafe(self._choose_soon)

    def _choose_soon(self) -> None:
        if not self._choosing:
            self._choosing = True
            self._loop.call_later(_SETTLE_S, self._choose)

    def _choose(self) -> None:
        self._choosing = False
        if not self._cluster.settled:
            self._choose_soon()
            return
        before, self._choice = self._choice, self._cluster.choice()
        for uid, (pod, why) in self._choice.refused.items():
            if before.refused.get(uid) != (pod, why):
                log.warning("pod_refused", namespace=pod.namespace, pod=pod.name, reason=why.value)
        if self.roster.choose(self._choice.chosen):
            log.info("targets_changed", targets=len(self.roster.targets()))
            self._tell_targets()

    def _tell_targets(self) -> None:
        if self._line is not None:
            self._line.send(wire.targets(self.roster.targets()))

    # -- the line

    def on_hello(self, line: lines.Line, hello: dict[str, Any]) -> None:
        """Capture is there: tell it what to capture."""
        if self._line is not None:
            log.warning("line_replaced")
            self._line.close()
            self._forget_line(self._line)
        self._line, self._hello = line, hello
        self._take_offset(hello)
        log.info("capture_connected", kernel=str(hello.get("kernel"))[:64], methods=hello.get("methods"))
        self._tell_targets()

    def on_frame(self, line: lines.Line, kind: int, body: bytes) -> None:
        """Take a frame; BadFrame when it is none."""
        if line is not self._line:
            return
        if kind == wire.Type.CHUNK:
            self.sockets.chunk(body)
        elif kind == wire.Type.CLOSE:
            self.sockets.close(body)
        elif kind == wire.Type.DNS:
            self._learn(body)
        elif kind == wire.Type.CGROUP:
            told = wire.cgroup(body)
            if not self.roster.cgroup(told):
                self.sockets.cgroup_ended(told.cgroup)
        elif kind == wire.Type.PROCESS:
            self._process(wire.process(body))
        elif kind == wire.Type.STATS:
            stats = lines.document(body)
            self._take_offset(stats)
            self.counters.stats(stats.get("counters"))

    def on_lost(self, line: lines.Line) -> None:
        """Capture is gone."""
        if line is self._line:
            log.warning("capture_lost")
            self._forget_line(line)

    def _forget_line(self, line: lines.Line) -> None:
        self._line = None
        self.sockets.line_lost()
        self.roster.line_lost()

    def _take_offset(self, told: dict[str, Any]) -> None:
        offset = told.get("boot_offset_ns")
        if type(offset) is int:
            self.sockets.boot_offset_ns = offset

    def _learn(self, body: bytes) -> None:
        chunk = wire.chunk(body)
        try:
            now_ns = chunk.ts + self.sockets.boot_offset_ns
            self.counters.dns_answers += self.names.learn(chunk.netns, body[wire.CHUNK.size :], now_ns) > 0
        except NotDns:
            self.counters.dns_refused += 1

    def _process(self, told: wire.Process) -> None:
        """Say once a process by name that its TLS cannot be seen."""
        name = told.comm.decode("utf-8", "replace")
        owner = self.roster.owner_of(told.cgroup)
        if told.refused and owner is not None and name not in self._unseen_tls and len(self._unseen_tls) < 256:
            who = owner.identity
            self._unseen_tls[name] = f"{who.namespace}/{who.pod_name or who.service}"
            log.warning("tls_not_seen", process=name, namespace=who.namespace, pod=who.pod_name)

    def _on_fault(self, error: Exception) -> None:
        """Log a bug of ours, the first few times; its place, never the data it choked on."""
        self.counters.faults += 1
        if self.counters.faults <= _FAULTS_LOGGED:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
            log.error("fault", kind=type(error).__name__, place=place)

    # -- what is shown

    def _endpoints(self, port: int, routes: dict[str, Any]) -> Endpoints:
        host = self._settings.api_host
        try:
            return Endpoints(self._metrics, self._why_not_ready, host=host, port=port, json_routes=routes)
        except OSError as error:
            why = f"cannot listen on {host} port {port}: {error.strerror}; set API_PORT or METRICS_HTTP_PORT"
            raise ConfigError([why]) from error

    def _why_not_ready(self) -> str:
        """Empty once it is known what is to be captured. Capture may be away: a restart of ours would cure nothing."""
        if self._stopping.is_set():
            return "stopping"
        if self._cluster is not None and not self._cluster.settled:
            return "; ".join(["the cluster is not known yet", *self._cluster.problems()])
        return ""

    def _gauges(self) -> None:
        sockets = self.sockets
        self.counters.gauges = {
            "capture_connected": ("1 while a capture process is connected", int(self._line is not None)),
            "sockets_open": ("Sockets that are followed", len(sockets)),
            "sockets_asleep": ("Quiet sockets of which only the place is remembered", sockets.asleep),
            "kept_bytes": ("Bytes of messages under way and of what waits for others", sockets.kept_bytes),
            "names": ("Addresses whose name is known from DNS", len(self.names)),
            "targets": ("Pods and cgroups that capture was told of", len(self.roster.targets())),
            "pods_refused": ("Pods that were asked for and are not captured", len(self._choice.refused)),
        }

    def _metrics(self) -> bytes:
        self._gauges()
        return numbers.exposition(self.counters, self.ledger)

    def _stats(self) -> bytes:
        self._gauges()
        ledger = self.ledger.snapshot()
        pairs = {name: ledger[name] for name in _PAIRS}
        return orjson.dumps({**self.counters.snapshot(), "pairs": pairs}, default=str)

    def _config(self) -> bytes:
        settings, cluster = self._settings, self._cluster
        refused = self._choice.refused.values()
        return orjson.dumps(
            {
                "node": settings.node,
                "cluster": settings.cluster,
                "namespaces": list(settings.namespaces),
                "forwarder": f"{settings.forwarder.host}:{settings.forwarder.port}",
                "capture": {"connected": self._line is not None, "hello": self._hello},
                "targets": self.roster.shown(),
                "refusedPods": [{"namespace": p.namespace, "pod": p.name, "reason": why.value} for p, why in refused],
                "refusedWorkloads": cluster.refused_workloads() if cluster is not None else [],
                "tlsNotSeen": [{"process": name, "where": where} for name, where in self._unseen_tls.items()],
                "problems": cluster.problems() if cluster is not None else [],
            },
            default=str,
        )


def main() -> int:
    """Run the ingest until it is told to stop; 0 then, 2 when settings or the system do not do."""
    return program.serve(SERVICE, _settings, _serve, loop=uvloop.new_event_loop)


def _settings(_: Mapping[str, str]) -> Settings:
    """Return what `__main__` has parsed."""
    return Settings.from_json(handover.settings(SERVICE))


async def _serve(settings: Settings) -> None:
    ingest = Ingest(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ingest.stop)
    await ingest.run()
