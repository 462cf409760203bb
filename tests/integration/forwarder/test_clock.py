"""The machine's wall clock is set under a running forwarder and between two runs: nothing is lost, or old too early."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import wall_clock

pytestmark = pytest.mark.integration

HOUR, DAY = 3600, 86400


@pytest.mark.skipif(bool(wall_clock.missing()), reason=wall_clock.missing())
@pytest.mark.parametrize("steps", [(-HOUR, DAY), (DAY, -HOUR)], ids=["back-then-on", "on-then-back"])
def test_a_clock_that_is_set_expires_nothing_and_dates_are_as_the_clock_says(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], tmp_path: Path, steps: tuple[int, int]
) -> None:
    clock = wall_clock.WallClock(tmp_path / "clock")
    out = tmp_path / "lake"
    away = {"x": {"otel_endpoint": "http://127.0.0.1:9", "timeout_s": 1}}
    f = forwarder(
        EXPORTERS=json.dumps(away),
        WITH_DLP="false",
        SPOOL_MAX_AGE_S="1800",
        EXPORTER_MAX_LAG_S="1800",
        **clock.environment(),
    )

    def age_s() -> float:
        found = re.search(r'^speedscale_forwarder_exporter_lag_seconds\{exporter="x"\} (\S+)$', f.metrics(), re.M)
        return float(found[1]) if found else 0.0  # it has just begun

    assert f.post(batch(1), 1).status_code == 200
    for number, step in enumerate(steps, 2):
        clock.step(step)
        assert f.post(batch(number), number).status_code == 200
        before = age_s()
        f.until(lambda before=before: age_s() > before)  # it has looked at ages since
        assert age_s() < 600
        f.kill()
        f.start()
        f.until(lambda: age_s() > 0)
        assert age_s() < 600
    assert "spool_expired" not in f.log.read_text()
    assert f.status()["exporters"]["x"]["lagPairs"] == 3

    f.kill()
    f.environ["EXPORTERS"] = json.dumps({"x": {"type": "parquet", "path": str(out), "linger_s": 0}})
    f.start()
    f.until(lambda: f.status()["exporters"]["x"]["lagPairs"] == 0)
    assert f.end() == 0
    rows = duckdb.sql(f"SELECT location, received_ns FROM read_parquet('{out}/**/*.parquet') ORDER BY 1").fetchall()
    assert [location for location, _ in rows] == ["/orders/1", "/orders/2", "/orders/3"]
    now = time.time() + steps[-1]  # what the clock says now: a few moments ago, by it
    assert all(now - 600 < received / 1e9 < now + 1 for _, received in rows)
