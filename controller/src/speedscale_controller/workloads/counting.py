"""How many workloads are in which state: gauges that follow a table of one line a workload. Thread-safe."""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from prometheus_client import Counter as Metric
from prometheus_client import Gauge

from speedscale_controller.telemetry import Metrics, labels

from .judging import Act, Judgement

_PREFIX: Final = "speedscale_operator_workloads"


class Place(NamedTuple):
    """A workload: the key of the queue."""

    kind: str
    namespace: str
    name: str


class _State(NamedTuple):
    injected: bool
    skipped: str
    stale: bool


class Counting:
    """The table, and what was last told about each workload."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._lock = metrics, threading.Lock()
        self._states: dict[Place, _State] = {}
        self._told: dict[Place, str] = {}
        registry = metrics.registry
        self._stale = Gauge(f"{_PREFIX}_stale_objects", "Sidecars of an earlier bundle.", ["kind"], registry=registry)
        self.left = Metric(
            f"{_PREFIX}_not_mended", "Workloads that could not be mended.", ["kind", "reason"], registry=registry
        )

    def note(self, place: Place, judgement: Judgement) -> None:
        """Note how a workload is now."""
        skipped = judgement.reason if judgement.act is Act.SKIP else ""
        self._set(place, _State(judgement.injected, skipped, judgement.act is Act.STALE))

    def forget(self, place: Place) -> None:
        """Note that a workload is gone, or has nothing to do with us any more."""
        self._set(place, None)
        with self._lock:
            self._told.pop(place, None)

    def news(self, place: Place, text: str) -> bool:
        """Say whether this was not the last thing told about a workload; empty forgets what was told."""
        with self._lock:
            before = self._told.get(place, "")
            if text:
                self._told[place] = text
            else:
                self._told.pop(place, None)
        return text != before

    def _set(self, place: Place, state: _State | None) -> None:
        with self._lock:
            before = self._states.pop(place, None)
            if state is not None:
                self._states[place] = state
            if before == state:
                return
            for one, step in ((before, -1), (state, 1)):
                if one is not None:
                    self._count(labels.kind(place.kind), one, step)

    def _count(self, kind: str, state: _State, step: int) -> None:
        self._metrics.workloads_injected.labels(kind).inc(step * state.injected)
        self._stale.labels(kind).inc(step * state.stale)
        if state.skipped:
            self._metrics.workloads_skipped.labels(kind, state.skipped).inc(step)
