"""Killed under load, again and again; the whole run is `python -m bench.forwarder_kills`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import wall_clock

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
NO_CLOCK = wall_clock.missing()
KILLS = os.environ.get("SPEEDSCALE_KILLS", "10")


@pytest.mark.parametrize(
    "clock", [False, pytest.param(True, marks=pytest.mark.skipif(bool(NO_CLOCK), reason=NO_CLOCK))]
)
def test_nothing_acknowledged_is_lost_at_any_exporter(clock: bool) -> None:
    command = [sys.executable, "-m", "bench.forwarder_kills", "--kills", KILLS, "--seconds", "400"]
    command += ["--exporters", "jsonl,parquet,otlp,grpc,s3,backend", *(["--clock"] if clock else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    rows = {words[0]: words[1:] for line in done.stdout.splitlines()[2:] if (words := line.split())}
    assert {"jsonl", "parquet", "backend"} <= rows.keys()
    assert {row[2] for row in rows.values()} == {"0"}
    kills = re.match(r"killed (\d+) times; acknowledged ([\d,]+) pairs; peak memory (\d+) MB", done.stdout)
    assert kills is not None
    assert int(kills[1]) >= 5
    assert int(kills[3]) < 512
