"""The first process of the container: starts admission and controller, keeps them alive, answers probes, ends in order.

It decides nothing about the cluster and holds nothing but the two processes, so that it has little that could break.

    /healthz   this loop turns, and starting a hanging process anew has helped
    /readyz    what admission says: certificate live, CA bundles written, facts there, it answers. Not the controller: a
               replica that stands by is ready, and admission does not need it
    /metrics   of both processes, each sample with the label `process`

The end (SIGTERM): /readyz fails first; both are told to end, the controller does it at once (the next leader
waits for the Lease), admission goes on answering for its grace.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog
from prometheus_client import generate_latest

from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_controller.telemetry.health import PLAIN, Page, Server
from speedscale_controller.telemetry.labels import Process
from speedscale_controller.telemetry.merging import CONTENT_TYPE, merge
from speedscale_controller.telemetry.status import Check, readiness
from speedscale_kube.stop import Stop

from .child import Child

TURN_S = 0.2
CHECK_S = 5.0
TURNS_S = 60.0
END_S = 10.0  # beyond admission's grace, before what is left is killed
_log = structlog.get_logger("speedscale_controller")


class Supervisor:
    """The supervisor of `children`; `clock` is monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        children: Sequence[Child],
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._children, self._metrics, self._clock = settings, tuple(children), metrics, clock
        self._stop = Stop()
        self._turned_at = self._checked_at = clock()
        self.health: Server | None = None

    def end(self, *_: object) -> None:
        """Begin to end; may be called by a signal."""
        self._stop.set()

    def run(self) -> None:
        """Serve probes and keep the children alive until `end`; OSError when the health port is taken."""
        routes: Mapping[str, Callable[[], Page]] = {
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.metrics_page,
        }
        self.health = Server((self._settings.health_host, self._settings.health_port), routes)
        self.health.start()
        _log.info("operator_started", health_port=self.health.port)
        try:
            while not self._stop.wait(TURN_S):
                self.turn()
        finally:
            self._end()
            self.health.stop()

    def turn(self) -> None:
        """Look at the children once: start those that are due, check those that run."""
        now = self._turned_at = self._clock()
        for child in self._children:
            if (cause := child.ended()) is not None:
                self._metrics.process_restarts.labels(child.role.value, cause.value).inc()
            if not child.running and now >= child.due_at:
                self._start(child)
        if now - self._checked_at >= CHECK_S:
            self._checked_at = now
            for child in self._children:
                child.check()

    def _start(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:  # no memory, no process left: the next turn tries again
            child.due_at = self._clock() + CHECK_S
            _log.error("process_not_started", of=child.role.value, error=str(error))

    def healthz(self) -> Page:
        """Say whether the kubelet should leave us alone."""
        silent_s = self._clock() - self._turned_at
        if silent_s > TURNS_S and not self._stop.is_set():
            return Page(500, PLAIN, f"the supervisor has not looked at its processes for {silent_s:.0f} s\n".encode())
        hopeless = [child.role.value for child in self._children if child.hopeless]
        if hopeless:
            return Page(500, PLAIN, f"{', '.join(hopeless)} hangs, also when it is started anew\n".encode())
        return Page(200, PLAIN, b"ok\n")

    def readyz(self) -> Page:
        """Say whether API servers may send us reviews."""
        if self._stop.is_set():
            return readiness([Check("operator", False, "is ending")], ())
        checks: list[Check] = []
        notes: list[str] = []
        for child in self._children:
            status = child.status()
            if status is None:
                said = f"process {child.role.value} does not answer (yet)"
                if child.role is Process.ADMISSION:
                    checks.append(Check(child.role.value, False, said))
                else:
                    notes.append(said)
                continue
            checks += status.checks if child.role is Process.ADMISSION else ()
            notes += status.notes
        return readiness(checks, dict.fromkeys(notes))

    def metrics_page(self) -> Page:
        """Return the metrics of all processes."""
        pages = {Process.SUPERVISOR.value: generate_latest(self._metrics.registry).decode()}
        for child in self._children:
            page = child.page("/metrics")
            if page is not None and page.status == 200:
                pages[child.role.value] = page.body.decode("utf-8", "replace")
        return Page(200, CONTENT_TYPE, merge(pages))

    def _end(self) -> None:
        _log.info("operator_ending")
        for child in self._children:
            child.signal(signal.SIGTERM)
        until = self._clock() + self._settings.shutdown_grace_s + END_S
        waiting = Stop()
        while not all(child.gone() for child in self._children) and self._clock() < until:
            waiting.wait(TURN_S / 4)
        for child in self._children:
            if not child.gone():
                _log.error("process_killed", of=child.role.value)
                child.signal(signal.SIGKILL)
        _log.info("operator_ended")


def children(folder: Path, environ: Mapping[str, str]) -> tuple[Child, ...]:
    """Return the operator's two processes, with sockets in `folder`."""
    return tuple(Child(role, folder, environ) for role in (Process.ADMISSION, Process.CONTROLLER))
