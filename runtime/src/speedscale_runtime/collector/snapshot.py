"""The replay's snapshot, fetched from the backend once and verified by its content's hash, for pods that ask for it.

Where the backend has no such snapshot, or what it gives is another one, pods are told so for good; while it is away
they are told to wait. Owned by the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from speedscale_runtime import snapshot as snapshots
from speedscale_runtime.cloud import CloudClient, Target
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .metrics import Metrics, Outcome
from .refusals import Reason, Refused

log = structlog.get_logger()
LONGEST_S = 30.0
WAIT_S = 2


class Giver:
    """Keeps the snapshot `id_` as `<root>/<id>.tar`; `backend` None means that pods have it otherwise."""

    def __init__(
        self,
        root: Path,
        id_: str,
        backend: Target | None,
        metrics: Metrics,
        *,
        expected: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._root, self._id, self._backend, self._metrics, self._sleep = root, id_, backend, metrics, sleep
        self._file: Path | None = None
        self.digest = ""
        self._why = "it is being fetched from the backend"
        self._lost = ""
        if not expected:
            self._lost = "this replay's pods have their snapshot as a volume; none is given here"
        elif backend is None:
            self._lost = f"snapshot {id_}: no backend is set (SPEEDSCALE_APP_URL, SPEEDSCALE_API_KEY)"

    def file(self) -> Path:
        """Return the snapshot's tar; Refused while there is none, and for good where there will be none."""
        if self._file is not None:
            return self._file
        if self._lost:
            raise Refused(Reason.NOT_FOUND, self._lost)
        raise Refused(Reason.NOT_READY, f"snapshot {self._id}: {self._why}", WAIT_S)

    async def run(self) -> None:
        """Fetch until it is there, or cannot be."""
        pause = 1.0
        while not self._lost and self._file is None:
            try:
                await self._once()
            except (PermanentError, PeerError, ConfigError) as error:
                self._metrics.snapshots.labels(Outcome.FAILED.value).inc()
                self._lost = f"snapshot {self._id}: {'; '.join(str(error).splitlines())}"
                log.error("snapshot_lost", snapshot=self._id, cause=type(error).__name__)
            except (TransientError, OSError) as error:
                self._metrics.snapshots.labels(Outcome.FAILED.value).inc()
                self._why = f"cannot be fetched from the backend yet: {error}"
                log.warning("snapshot_not_yet", snapshot=self._id, cause=type(error).__name__)
                await self._sleep(pause)
                pause = min(LONGEST_S, pause * 2)

    async def _once(self) -> None:
        assert self._backend is not None
        path = self._root / f"{self._id}.tar"
        self._root.mkdir(parents=True, exist_ok=True)
        async with CloudClient(self._backend, "collector") as client:
            await client.fetch_snapshot(self._id, path)
        try:
            self.digest = await asyncio.to_thread(_verified, path, self._id)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._metrics.snapshots.labels(Outcome.DONE.value).inc()
        self._file = path
        log.info("snapshot_fetched", snapshot=self._id, bytes=path.stat().st_size)


def _verified(path: Path, id_: str) -> str:
    """Return the file's SHA-256 in hex; ConfigError when the content is not what its id says."""
    found = snapshots.open(path)
    if found.id != id_:
        raise ConfigError([f"the backend gave snapshot {found.id or '(without id)'} instead"])
    found.verify()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
