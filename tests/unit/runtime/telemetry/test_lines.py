"""Log lines without structlog: the same shape, nothing large is loaded, and a closed stderr stops nobody."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from speedscale_runtime.telemetry.lines import Lines


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_service_event_level_time_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    Lines("initproxy").warning("rules_note", note="two", count=2)
    (line,) = said(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"service": "initproxy", "event": "rules_note", "level": "warning", "note": "two", "count": 2}


@pytest.mark.parametrize(
    ("level", "heard"), [("debug", 3), ("info", 3), ("Warning", 2), ("error", 1), ("no such level", 3)]
)
def test_a_level_is_where_it_begins(capsys: pytest.CaptureFixture[str], level: str, heard: int) -> None:
    log = Lines("it", level)
    log.info("one")
    log.warning("two")
    log.error("three")
    assert len(said(capsys)) == heard


def test_an_exception_is_told_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        Lines("it").exception("fault")
    (line,) = said(capsys)
    assert line["level"] == "error"
    assert line["exception"].endswith("ValueError: odd")


def test_who_cannot_write_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    Lines("it").info("unheard")


@pytest.mark.parametrize("program", ["iptables", "routes", "smartdns"])
def test_init_programs_load_nothing_large(program: str) -> None:
    script = f"import sys, speedscale_runtime.interception.{program}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    assert {"structlog", "asyncio", "ssl", "rich"} & set(loaded.split()) == set()
