"""The controller process: stands for election, and runs everything while it leads.

A process leads once. Whoever loses the Lease ends, with a code of its own, and the supervisor starts another that
stands again: nothing of a lost term can go on, because nothing of it is left.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Mapping, Sequence

import structlog
from prometheus_client import generate_latest

from speedscale_controller.reconciling import Reconciler
from speedscale_controller.reconciling.live import LiveSettings
from speedscale_controller.telemetry import Metrics, configure
from speedscale_controller.telemetry.health import Page, Server
from speedscale_controller.telemetry.labels import Process
from speedscale_controller.telemetry.merging import CONTENT_TYPE
from speedscale_controller.telemetry.status import Status
from speedscale_kube import Client, load
from speedscale_kube.lease import Durations, Leader
from speedscale_kube.stop import Stop
from speedscale_schemas.errors import ConfigError

from . import table
from .notices import Announcer, Notice, notices
from .restarts import EXIT_LOST, EXIT_SETTINGS
from .running import Running

LEASE = "speedscale-operator"
ANNOUNCE_S = 10.0
TIMES = Durations()
_log = structlog.get_logger("speedscale_controller")


class Controller:
    """One controller process. `times` are those of the Lease."""

    def __init__(
        self,
        environ: Mapping[str, str],
        client: Client,
        reconcilers: Sequence[Reconciler],
        *,
        times: Durations = TIMES,
    ) -> None:
        """ConfigError for settings that make no sense."""
        self.metrics = Metrics()
        self._client, self._reconcilers = client, tuple(reconcilers)
        self._settings = LiveSettings(environ, self.metrics)
        self._settings.read(client)
        self._stop = Stop()
        self._running: Running | None = None
        self._clean = True
        settings = self._settings.current
        identity = f"{settings.pod_name}_{uuid.uuid4()}"
        self._leader = (
            Leader(client, settings.namespace, LEASE, identity, times=times) if settings.leader_election else None
        )

    def end(self, *_: object) -> None:
        """Begin to end; may be called by a signal."""
        self._stop.set()

    def run(self, socket_path: str) -> int:
        """Stand for election and lead until `end` or loss; return the exit code."""
        health = Server(socket_path, {"/status": self._status, "/metrics": self._metrics_page})
        health.start()
        try:
            if self._leader is not None:
                return 0 if self._leader.run(self._started, self._lost, self._stop) else EXIT_LOST
            self._started()
            self._stop.wait()
            self._lost()
            return 0
        finally:
            health.stop()

    def _started(self) -> None:
        client = self._client if self._leader is None else self._client.fenced(self._leader.check)
        running = Running(client, self._settings, self.metrics, self._reconcilers)
        running.every(ANNOUNCE_S, "announce", Announcer(client, running.recorder, self._notices))
        self._running = running
        running.start()
        self.metrics.leader.set(1)
        self.metrics.leader_changes.labels("started").inc()

    def _lost(self) -> None:
        self.metrics.leader.set(0)
        self.metrics.leader_changes.labels("ended").inc()
        if self._running is not None and not self._running.stop():
            _log.warning("controller_ends_in_work")

    def _notices(self) -> tuple[Notice, ...]:
        running = self._running
        if running is None:
            return ()
        return notices(
            self._settings.current.namespace,
            self._settings.composed,
            self._settings.pending,
            running.bundle_problems,
            running.watches.troubles(),
        )

    # What the supervisor asks, in threads of the health server

    def _metrics_page(self) -> Page:
        if self._running is not None:
            self._running.measure()
        return Page(200, CONTENT_TYPE, generate_latest(self.metrics.registry))

    def _status(self) -> Page:
        running = self._running
        if running is None:
            holder = self._leader.holder if self._leader else ""
            return Status(notes=(f"the controller stands by; {holder or 'nobody'} leads",)).page()
        waiting = running.watches.unsettled()
        notes = ["the controller leads" + (f"; still reading {', '.join(waiting)}" if waiting else "")]
        notes += [f"cannot watch {t.kind} ({t.state.value}): {t.reason}" for t in running.watches.troubles()]
        stuck = ", ".join(f"watch {name} hangs" for name in running.watches.stuck())
        return Status(notes=tuple(notes), stuck=stuck).page()


def main(environ: Mapping[str, str], socket_path: str) -> int:
    """Run the process; its exit code: 0 a clean end, 2 settings or cluster that make no sense, 3 the Lease was lost."""
    configure(Process.CONTROLLER.value, environ.get("LOG_LEVEL", "info"))
    try:
        with Client(load(environ=environ), agent="speedscale-operator-controller") as client:
            controller = Controller(environ, client, table.reconcilers())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, controller.end)
            return controller.run(socket_path)
    except ConfigError as error:
        _log.error("settings_invalid", problems=error.problems)
        return EXIT_SETTINGS
