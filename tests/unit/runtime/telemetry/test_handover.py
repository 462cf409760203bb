"""Settings are handed to what a program becomes, once; wrong ones end it before that."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from speedscale_runtime.telemetry import handover
from speedscale_schemas.errors import ConfigError


class Parsed:
    """Settings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def to_json(self) -> str:
        return '{"a": 1}'


def test_what_a_program_becomes_gets_the_settings_and_its_children_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *call: became.append(call))
    handover.start("nettap-ingest", "some.module", Parsed)
    ((program, command, environ),) = became
    assert program == command[0] == sys.executable
    assert command[1:3] == ["-P", "-c"]
    assert command[3] == "from some.module import main; raise SystemExit(main())"
    assert environ.items() >= {"SPEEDSCALE_NETTAP_INGEST_SETTINGS": '{"a": 1}', "PATH": os.environ["PATH"]}.items()
    monkeypatch.setattr(os, "environ", dict(environ))
    assert handover.settings("nettap-ingest") == '{"a": 1}'
    assert "SPEEDSCALE_NETTAP_INGEST_SETTINGS" not in os.environ


def test_every_problem_is_told_and_nothing_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("began"))

    def parse(environ: Mapping[str, str]) -> Parsed:
        raise ConfigError(["A: wrong", "B: missing"])

    assert handover.start("goproxy", "some.module", parse) == 2
    assert capsys.readouterr().err == "speedscale-goproxy: A: wrong\nspeedscale-goproxy: B: missing\n"
