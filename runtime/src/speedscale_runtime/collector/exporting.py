"""The report goes to the backend: results as one archive, and the replay's own entry. Owned by the server.

What the backend says no to, or does not take within the time, is a note; the report is still in the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from speedscale_runtime.cloud import CloudClient, Target
from speedscale_runtime.delivery import archive
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .config import Settings

log = structlog.get_logger()
EXPORT_S = 60.0


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the report can be seen (empty: nowhere), and what went wrong."""

    url: str = ""
    note: str = ""


async def export(
    settings: Settings, backend: Target, folder: Path, summary: Mapping[str, Any] | None, state: str
) -> Exported:
    """Bring a report's folder to the backend."""
    packed = settings.results / "report.tar.zst"
    try:
        async with asyncio.timeout(EXPORT_S), CloudClient(backend, "collector") as client:
            stored: Mapping[str, Any] = {}
            if summary is not None:
                await asyncio.to_thread(_pack, folder, packed)
                stored = await client.put_results(settings.report_id, packed)
            entry = _entry(settings, summary, state)
            await client.put_replay(settings.replay_id, entry)
    except TimeoutError:
        return Exported(note=f"the backend took no report within {EXPORT_S:g} s")
    except (TransientError, PermanentError, PeerError, OSError) as error:
        log.warning("export_failed", cause=type(error).__name__)
        return Exported(note=f"the backend took no report: {error}")
    if summary is None:
        return Exported()
    return Exported(_absolute(str(stored.get("url") or f"/v1/reports/{settings.report_id}?format=html"), backend.url))


def _pack(folder: Path, packed: Path) -> None:
    with packed.open("wb") as out:
        archive.pack(folder, out)


def _entry(settings: Settings, summary: Mapping[str, Any] | None, state: str) -> dict[str, Any]:
    workload = settings.workload
    return {
        "name": settings.replay,
        "namespace": workload.namespace,
        "cluster": settings.cluster,
        "workload": str(workload),
        "snapshot": settings.snapshot_id,
        "testConfig": settings.test_config_id,
        "buildTag": settings.build_tag,
        "state": state if state == "Canceled" else str(summary["state"]) if summary is not None else "Error",
        **({"report": settings.report_id, "summary": dict(summary)} if summary is not None else {}),
    }


def _absolute(url: str, base: str) -> str:
    return url if "://" in url else f"{base}/{url.lstrip('/')}"
