"""With redaction on: no original value rests in the spool, a recording, a log, a metric or the status."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from speedscale_runtime.rrpair import recording
from speedscale_runtime.rrpair.decoding import decoded
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame

pytestmark = pytest.mark.integration

EMAIL, CARD, PASSWORD = "ann.example@mail.example.com", "4111111111111111", "correct-horse-battery"


def secretive(make_pair: Callable[..., Frame], n: int) -> Frame:
    frame = make_pair(n)
    head = json.loads(frame.head)
    head["http"]["req"]["headers"] |= {
        "Authorization": ["Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()],
        "Cookie": [f"mail={quote(EMAIL)}"],
        "Content-Type": ["application/json"],
    }
    head["http"]["req"]["uri"] += f"?email={quote(EMAIL)}"
    head["http"]["req"]["queryParams"] = {"email": [EMAIL]}
    head["http"]["res"]["headers"] |= {"Content-Encoding": ["gzip"]}
    request = json.dumps({"email": EMAIL, "card": CARD, "password": PASSWORD}).encode()
    response = gzip.compress(json.dumps({"owner": {"email": EMAIL}, "n": n}).encode())
    return Frame(json.dumps(head).encode(), request, response)


def leaks(path: Path) -> list[str]:
    """Name what stands in a file in any of the forms it was sent in."""
    raw = path.read_bytes()
    forms = {
        v: [v, quote(v, safe=""), quote(v), base64.b64encode(v.encode()).decode()] for v in (EMAIL, CARD, PASSWORD)
    }
    forms[PASSWORD].append(base64.b64encode(f"ann:{PASSWORD}".encode()).decode())
    return [value for value, written in forms.items() if any(w.encode() in raw for w in written)]


@pytest.mark.parametrize("fmt", ["markdown", "json", "jsonl"])
def test_no_original_value_rests_anywhere(
    forwarder: Callable, make_pair: Callable[..., Frame], tmp_path: Path, fmt: str
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=json.dumps({"r": {"type": "files", "path": str(out), "format": fmt}}), LOG_LEVEL="debug")
    payload = b"".join(frames.encode(secretive(make_pair, n)) for n in range(3))
    assert f.post(payload, 1).status_code == 200
    assert f.post(payload[:-1], 2).status_code == 400
    f.until(lambda: f.status()["exporters"]["r"]["exported"] == 3)
    status = f.status()
    assert status["redaction"] == "standard"
    assert status["redacted"]["EMAIL"] >= 9
    assert not [v for v in (EMAIL, CARD, PASSWORD) if v in json.dumps(status) + f.metrics()]
    assert f.end() == 0

    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.suffix == ".spool" for p in files)
    assert {p.name: leaks(p) for p in files if leaks(p)} == {}
    pairs = [e.pair for e in recording.read(out)]
    assert len(pairs) == 3
    for pair in pairs:
        assert pair is not None
        assert pair.doc["dlpModified"] is True
        body = json.loads(pair.request_body or b"")
        assert body["email"].startswith("REDACTED-EMAIL-")
        assert EMAIL not in json.dumps(pair.to_doc())
        answer = decoded(pair.response_body or b"", (pair.http_response or {})["headers"])
        assert json.loads(answer)["owner"]["email"] == body["email"]
    tokens = {json.loads(p.request_body or b"")["email"] for p in pairs if p}
    assert len(tokens) == 1  # what belonged together still does


def test_an_unknown_dlp_rule_fails_closed(forwarder: Callable, batch: Callable, tmp_path: Path) -> None:
    f = forwarder(SPEEDSCALE_DLP_CONFIG="nowhere", RULE_RELOAD_S="0.05")
    assert f.post(batch(1), 1).json()["reason"] == "rules"
    assert "nowhere" in f.ready().text
    folder = f.root / "home" / "data" / "dlp"
    folder.mkdir(parents=True)
    (folder / "nowhere.json").write_text(json.dumps({"id": "nowhere", "discover_patterns": True}))
    f.until(lambda: f.ready().status_code == 200)
    assert f.post(batch(1), 1).status_code == 200


def test_a_pair_that_cannot_be_redacted_is_left_out_and_counted(forwarder: Callable, batch: Callable) -> None:
    f = forwarder()
    broken = frames.encode(Frame(b'["no object"]', b"ann.example@mail.example.com", b""))
    assert f.post(batch(1) + broken + batch(2), 1).status_code == 200
    status = f.status()
    assert status["stored"]["pairs"] == 2
    assert sum(status["dropped"].values()) == 1
    assert 'speedscale_forwarder_dropped_pairs_total{reason="redaction_failed"} 1.0' in f.metrics()
    assert b"ann.example" not in b"".join(p.read_bytes() for p in f.root.rglob("*.spool"))
