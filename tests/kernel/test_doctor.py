"""`--doctor` on this machine's kernel: it says what capture then does, and the same as text and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from nettap_build import PROGRAM
from tap import Tap

pytestmark = pytest.mark.kernel


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(folder / PROGRAM), "--doctor", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}
    )


def test_text_and_json_say_the_same(capture_program: Path) -> None:
    text, told = doctor(capture_program), doctor(capture_program, "--json")
    assert text.returncode == told.returncode == 0, text.stdout + text.stderr
    report = json.loads(told.stdout)
    assert report["works"] == 1
    assert report["kernel"] == os.uname().release
    assert f"by {report['method']['source']}: {report['method']['why']}" in text.stdout
    for name, probed in report["probes"].items():
        (line,) = [x for x in text.stdout.splitlines() if x.split()[1:2] == [name]]
        assert line.startswith("ok" if probed["works"] else "no")
        assert probed["works"] or (probed["advice"] in text.stdout and probed["reason"] in line)


def test_capture_says_the_same_to_its_ingest(capture_program: Path, tap: Tap) -> None:
    asked = json.loads(doctor(capture_program, "--json", NETTAP_CGROUP_HIERARCHY="unified").stdout)
    told = tap.hello["doctor"]
    assert told == asked
    assert tap.hello["methods"]["tcp"]["source"] == told["method"]["source"]


def test_where_nothing_can_be_captured_it_says_what_to_do(capture_program: Path, tmp_path: Path) -> None:
    refused = doctor(capture_program, NETTAP_SYSTEM_CGROUPV2PATH=str(tmp_path))
    assert refused.returncode == 1
    assert f"none at {tmp_path}: mount the node's /sys/fs/cgroup there" in refused.stdout
    assert "NOTHING CAN BE CAPTURED" in refused.stdout


def test_other_arguments_are_refused(capture_program: Path) -> None:
    ran = doctor(capture_program, "--yaml")
    assert ran.returncode == 2
    assert "usage:" in ran.stderr
