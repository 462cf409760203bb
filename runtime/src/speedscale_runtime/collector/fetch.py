"""`speedscale-fetch`: the init container that brings a replay's snapshot from the collector to generator and responder.

Written as `$SNAPSHOT_DIR/<id>.tar`, whole or not at all, after its content was verified by its hash. Tries until its
time is over; the last word goes into the termination message, which the operator shows as the pod's cause.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from speedscale_runtime import snapshot
from speedscale_runtime.delivery.client import Collector, Refusal, collector_of
from speedscale_runtime.telemetry import logs
from speedscale_schemas import settings as schema_settings
from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

SUFFIX = ".tar"
_TERMINATION_LOG = Path("/dev/termination-log")
_TRIES = 3

log = structlog.get_logger()


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Fetch once; exit code 0 when the snapshot is there, 1 when it could not be had, 2 for wrong settings."""
    try:
        values = schema_settings.parse("fetch", environ)
        logs.configure("fetch", values["LOG_LEVEL"])
        collector = collector_of(values, lambda why: log.warning("fetch_attempt_failed", reason=why.value))
        if collector is None:
            raise ConfigError(["environment: COLLECTOR_URL: required"])
        path = _path(values)
    except ConfigError as error:
        return _end(environ, "; ".join(error.problems), 2)
    try:
        size = fetch(collector, path, float(values["FETCH_TIMEOUT_S"]))
    except (TransientError, PermanentError, ConfigError, OSError) as error:
        return _end(environ, f"snapshot {path.stem}: {error}", 1)
    log.info("snapshot_fetched", snapshot=path.stem, bytes=size)
    return 0


def fetch(collector: Collector, path: Path, timeout_s: float) -> int:
    """Bring the snapshot to `path` and verify it; return its bytes. One that arrives damaged is asked for again."""
    if path.exists():
        return path.stat().st_size  # an init container that runs again
    coming = path.with_name(f".{path.name}")  # a snapshot is read by its file's ending
    for left in reversed(range(_TRIES)):
        headers = collector.fetch("/v1/snapshot", coming, timeout_s)
        try:
            _verify(coming, path.name.removesuffix(SUFFIX), headers.get("x-content-sha256", ""))
            coming.replace(path)
            return path.stat().st_size
        except ConfigError:
            coming.unlink(missing_ok=True)
            if not left:
                raise
    raise AssertionError("unreachable")


def _verify(path: Path, id_: str, digest: str) -> None:
    with path.open("rb") as file:
        if digest and hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise ConfigError(["what arrived is not what was sent"])
    found = snapshot.open(path)
    if found.id != id_:
        raise ConfigError([f"the collector gave snapshot {found.id or '(without id)'} instead"])
    found.verify()


def _path(values: Mapping[str, Any]) -> Path:
    name = str(values["SNAPSHOT_ID"])
    if "/" in name or not name.endswith(SUFFIX):
        raise ConfigError([f"environment: SNAPSHOT_ID: {name!r}: expected the name of a file, <id>{SUFFIX}"])
    return Path(values["SNAPSHOT_DIR"]) / name


def _end(environ: Mapping[str, str], why: str, code: int) -> int:
    text = " ".join(f"speedscale-fetch: {why}".split())[:2000]
    sys.stderr.write(f"{text}\n")
    named = environ.get("TERMINATION_LOG", "")
    path = Path(named) if named else _TERMINATION_LOG
    if named or path.is_file():
        try:
            path.write_text(f"{text}\n", "utf-8")
        except OSError as error:
            sys.stderr.write(f"speedscale-fetch: {path}: {error.strerror or error}\n")
    return code


__all__ = ["Refusal", "fetch", "main"]

if __name__ == "__main__":
    sys.exit(main())
