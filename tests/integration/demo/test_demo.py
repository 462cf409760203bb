"""The demo as a newcomer runs it: twice at the same time, to its end, with what it promises on the disk."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_two_demos_at_once_end_well_and_leave_their_reports(tmp_path: Path) -> None:
    demos = [
        subprocess.Popen(
            [sys.executable, "-m", "speedscale_runtime.demo", "--folder", str(tmp_path / name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    ends = [demo.communicate(timeout=300) for demo in demos]
    for demo, name, (told, errors) in zip(demos, ("one", "two"), ends, strict=True):
        assert demo.returncode == 0, told + errors
        assert "Passed, exit code 0" in told
        assert "Missed Goals, exit code 1" in told
        assert "orderId missing" in told
        assert "none found" in told
        (run,) = (tmp_path / name).iterdir()
        for build, status in (("stable", "Passed"), ("changed", "Missed Goals")):
            folder = run / "reports" / build
            assert json.loads((folder / "report.json").read_text())["status"] == status
            assert (folder / "report.html").read_text().lower().startswith("<!doctype html>")
            suites = ElementTree.parse(folder / "report.xml").getroot().iter("testsuite")
            failures = sum(int(suite.get("failures", "0")) for suite in suites)
            assert (failures > 0) == (status != "Passed")
