"""The results go to the replay's collector while mocks are served: whenever there is something new, and at the end.

Owned by `__main__`. Uploads run in a thread, one at a time, far from the data path: mocks are served whether or not a
collector takes what they have answered. What fails is counted and tried again with the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter

from speedscale_runtime.delivery.client import Collector, Refusal, Upload
from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

from .config import Settings

ATTEMPT_S = 20.0
_SHARE = 20.0
LAST_S, YIELD_S = 15.0, 8.0
"""How long the last upload may take: less than what a pod has between SIGTERM and its end."""

log = structlog.get_logger()


class Uploading:
    """Brings the results folder to the collector; `flush` writes what waits in memory.

    Also when nothing is new: asked for the report, the collector waits for what a responder brings from then on.
    """

    def __init__(self, settings: Settings, registry: CollectorRegistry, flush: Callable[[], None]) -> None:
        self._settings, self._flush = settings, flush
        self._told = ""
        self._stopping = threading.Event()
        self._under_way: asyncio.Future[Upload] | None = None
        prefix = "speedscale_responder"
        uploads = Counter(f"{prefix}_uploads", "Results brought to the collector", ["outcome"], registry=registry)
        self._uploads = {outcome: uploads.labels(outcome.value) for outcome in Upload}
        refusals = Counter(f"{prefix}_upload_failures", "Attempts that failed", ["reason"], registry=registry)
        self._refusals = {why: refusals.labels(why.value) for why in Refusal}
        self._collector: Collector | None = None
        if settings.collector_url and settings.out is not None:
            self._collector = Collector(
                settings.collector_url,
                settings.collector_ca_file,
                settings.collector_token_file,
                timeout_s=ATTEMPT_S,
                refused=lambda why: self._refusals[why].inc(),
                wait=self._stopping.wait,
            )

    async def run(self) -> None:
        """Upload now and then until cancelled; the first time at once, so that the collector knows of us."""
        if self._collector is None:
            return
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            await self._once(ATTEMPT_S)
            # large results are brought less often: a twentieth of the time at most
            await asyncio.sleep(max(self._settings.collector_interval_s, _SHARE * (clock() - begun)))

    async def close(self, task: asyncio.Task[None]) -> None:
        """End `run`, and bring what is there by now; call it when the results are complete."""
        self._stopping.set()  # an upload that waits to be repeated gives way
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if self._under_way is not None:  # what is older must not come after what is newer
            await asyncio.wait([self._under_way], timeout=YIELD_S)
        self._stopping.clear()
        if self._collector is not None:
            await self._once(LAST_S)

    async def _once(self, deadline_s: float) -> None:
        self._flush()
        self._under_way = asyncio.get_running_loop().run_in_executor(None, self._upload, deadline_s)
        outcome = await asyncio.shield(self._under_way)
        self._uploads[outcome].inc()

    def _upload(self, deadline_s: float) -> Upload:
        assert self._collector is not None
        assert self._settings.out is not None
        folder: Path = self._settings.out
        try:
            self._collector.upload(folder, f"/v1/results/responder/{self._settings.pod}", deadline_s)
        except (TransientError, PermanentError, ConfigError, OSError) as error:
            if self._told != type(error).__name__:
                log.warning("results_not_stored", error=str(error))
            self._told = type(error).__name__
            return Upload.FAILED
        self._told = ""
        return Upload.STORED
