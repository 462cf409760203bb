"""One name, one rule, for whoever asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedscale_runtime import home, rules
from speedscale_runtime.dlp import prefilter
from speedscale_runtime.dlp.memory import Memory
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError


def login(agent: str = "app/1") -> RRPair:
    request = {"method": "POST", "uri": "/login", "url": "/login", "headers": {"User-Agent": [agent]}}
    document = {"direction": "IN", "location": "/login", "http": {"req": request, "res": {"statusCode": 200}}}
    return RRPair(document, b'{"user": "jo@example.com", "colour": "blue"}', b"")


def test_a_filter_rule_by_name(tmp_path: Path) -> None:
    rule = rules.filter_rule("standard", tmp_path)
    assert rule.matches(login("kube-probe/1.34"))
    assert not rule.matches(login())


def test_redactors_of_one_home_give_one_value_one_token(tmp_path: Path) -> None:
    bodies = {rules.redactor("standard", tmp_path).redact_pair(login()).pair.request_body for _ in range(2)}
    (body,) = bodies
    assert body is not None
    assert b"REDACTED-EMAIL-" in body
    assert rules.redactor("standard", tmp_path / "other").redact_pair(login()).pair.request_body != body


def test_chains_of_a_dlp_rule_may_use_filters(tmp_path: Path) -> None:
    chain = {
        "filters": {"filters": [{"operator": "CONTAINS", "detectedLocation": "login"}]},
        "extractor": {"type": "req_body"},
        "transforms": [{"type": "json_path", "config": {"path": "colour"}}, {"type": "dlp_field"}],
    }
    path = home.stored_path("dlp-rule", "mine", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "mine", "discover_patterns": False, "transforms": [chain]}))
    body = rules.redactor("mine", tmp_path).redact_pair(login()).pair.request_body or b""
    assert b"blue" not in body
    assert b"jo@example.com" in body


def test_compiled_patterns_rest_in_the_home_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for _ in range(2):
        monkeypatch.setattr(prefilter, "_DATABASES", Memory(8))  # as in a process that begins
        rules.compiled({"id": "mine", "discover_patterns": False}, tmp_path)
        written.append([(p.name, p.stat().st_ino) for p in home.cache(tmp_path, "patterns").iterdir()])
    assert written[0] == written[1]  # read, and not made again
    assert len(written[0]) == 1


@pytest.mark.parametrize("which", [rules.filter_rule, rules.redactor])
def test_an_unknown_name_is_an_error(which: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such built-in"):
        which("standrad", tmp_path)  # type: ignore[operator]
