"""Memory is level: a backlog lies on disk, however large, while it grows and while it is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = pytest.mark.integration

PAIRS, BATCHES, BODY = 40, 150, 24_000
"""An hour of a pair and a half a second: 6,000 pairs, 144 MB."""
LEVEL_MB, PEAK_MB = 40, 300


def anonymous_mb(forwarder: Any) -> float:
    """Return the memory that is the process' own: not the pages of the spool that the kernel keeps."""
    lines = Path(f"/proc/{forwarder.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def test_an_hour_of_backlog_takes_no_memory(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path
) -> None:
    out = tmp_path / "lake"
    f = forwarder(EXPORTERS=json.dumps({"x": {"otel_endpoint": "http://127.0.0.1:9"}}), WITH_DLP="false")
    body = b'{"text": "' + b"x" * BODY + b'"}'
    levels = []
    for sequence in range(BATCHES):
        numbers = range(sequence * PAIRS, (sequence + 1) * PAIRS)
        assert f.post(batch(*numbers, response=body), sequence).status_code == 200
        if sequence % 50 == 49:
            levels.append(anonymous_mb(f))
    assert f.status()["exporters"]["x"]["lagBytes"] > BATCHES * PAIRS * BODY
    assert max(levels) - levels[0] < LEVEL_MB, levels
    f.kill()

    f.environ["EXPORTERS"] = json.dumps({"x": {"type": "parquet", "path": str(out), "linger_s": 0}})
    f.start()
    peak = anonymous_mb(f)

    def delivered() -> bool:
        nonlocal peak
        peak = max(peak, anonymous_mb(f))
        return bool(f.status()["exporters"]["x"]["lagPairs"] == 0)

    f.until(delivered, 600)
    assert peak < PEAK_MB, peak
    assert f.end() == 0
    count = duckdb.execute("SELECT count(DISTINCT uuid) FROM read_parquet(?)", [f"{out}/**/*.parquet"]).fetchall()
    assert count == [(BATCHES * PAIRS,)]
    print(f"while it grew {levels[0]:.0f} to {max(levels):.0f} MB, while it was delivered at most {peak:.0f} MB")
