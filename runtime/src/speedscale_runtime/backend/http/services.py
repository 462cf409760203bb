"""What handlers work with: the parts of one backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from speedscale_runtime.backend.audit import Audit
from speedscale_runtime.backend.clusters import Clusters
from speedscale_runtime.backend.config import Settings
from speedscale_runtime.backend.documents import Documents
from speedscale_runtime.backend.intake import Intake
from speedscale_runtime.backend.keys import Failures, Keys
from speedscale_runtime.backend.metrics import Metrics
from speedscale_runtime.backend.problems import Reason, Refused
from speedscale_runtime.backend.replays import Replays
from speedscale_runtime.backend.reports import Reports
from speedscale_runtime.backend.snapshots import Snapshots
from speedscale_runtime.backend.traffic import TrafficStore

T = TypeVar("T")
_AT_WORK, _WAITING_MAX = 2, 8


@dataclass
class Services:
    """The parts; `folder` takes uploads while they come in."""

    settings: Settings
    metrics: Metrics
    keys: Keys
    failures: Failures
    audit: Audit
    intake: Intake
    traffic: TrafficStore
    snapshots: Snapshots
    documents: Documents
    replays: Replays
    reports: Reports
    clusters: Clusters
    folder: Path
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_AT_WORK, "work"))
    _waiting: int = 0

    async def work(self, task: Callable[[], T]) -> T:
        """Do something long in a thread: two at a time, a few more wait, others are told `busy`."""
        if self._waiting >= _AT_WORK + _WAITING_MAX:
            raise Refused(Reason.BUSY, "too much is being made already; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, task)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads once they are done."""
        self._threads.shutdown()
