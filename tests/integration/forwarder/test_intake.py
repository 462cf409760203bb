"""A forwarder process: what it takes, what it refuses, and what comes out as a recording."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.integration


def exporters(path: Path, **more: object) -> str:
    return json.dumps({"recording": {"type": "files", "path": str(path), "format": "jsonl", **more}})


def recorded(path: Path) -> list[str]:
    entries = list(recording.read(path))
    assert not [e.error for e in entries if e.error]
    return sorted(str(e.pair.doc["location"]) for e in entries if e.pair)


def test_batches_become_a_recording(forwarder: Callable, batch: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out, format="markdown"), WITH_DLP="false")
    assert f.ready().status_code == 200
    answer = f.post(batch(1, 2), 1)
    assert (answer.status_code, answer.json()) == (200, {"sequence": 1})
    squeezed = zstandard.compress(batch(3)) + zstandard.compress(batch(4))
    assert f.post(squeezed, 2, **{"Content-Encoding": "zstd"}).status_code == 200
    assert f.post(batch(5, agent="kube-probe/1.29"), 3).status_code == 200
    assert f.post(b"", 4).status_code == 200
    f.until(lambda: f.status()["exporters"]["recording"]["lagBytes"] == 0)
    status = f.status()
    assert status["exporters"]["recording"]["exported"] == 4
    assert status["received"]["pairs"] == 5
    assert status["filtered"] == {"standard": 1}
    assert status["exporters"]["recording"]["lagPairs"] == 0
    assert 'speedscale_forwarder_filtered_pairs_total{rule="standard"} 1.0' in f.metrics()
    assert f.end() == 0
    assert recorded(out) == ["/orders/1", "/orders/2", "/orders/3", "/orders/4"]
    assert sorted(p.suffix for p in out.rglob("*") if p.is_file()) == [".md"] * 4


def test_a_repeated_batch_is_acknowledged_and_not_stored_again(
    forwarder: Callable, batch: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out), WITH_DLP="false")
    for _ in range(3):
        assert f.post(batch(1), 7).json()["sequence"] == 7
    assert f.post(batch(2), 9).status_code == 200  # a gap is no error
    assert f.post(batch(3), 8).status_code == 200  # and may be filled
    assert f.post(batch(4), 7, epoch=2).status_code == 200
    assert f.post(batch(5), 7, sender="sender-2").status_code == 200
    f.kill()
    f.start()
    for sequence in (7, 8, 9):
        assert f.post(batch(1), sequence).json() == {"sequence": sequence, "duplicate": True}
    assert f.status()["duplicates"] == 3
    f.end()
    assert recorded(out) == [f"/orders/{n}" for n in (1, 2, 3, 4, 5)]


def test_what_is_wrong_is_refused_with_a_reason_and_not_stored(forwarder: Callable, batch: Callable) -> None:
    f = forwarder(WITH_DLP="false", FORWARDER_MAX_BATCH_BYTES="65536")
    good = batch(1)
    broken = bytearray(batch(1, 2))
    broken[-1] ^= 1
    cases = [
        (f.post(bytes(broken), 1), 400, "malformed"),
        (f.post(good[:-1], 1), 400, "malformed"),
        (f.post(good, 1, **{"Speedscale-Batch-Version": "9"}), 400, "version"),
        (f.post(good, 1, sender="x" * 200), 400, "sender"),
        (f.post(good, 1, **{"Speedscale-Epoch": "-1"}), 400, "sequence"),
        (f.post(good, 1, **{"Content-Encoding": "br"}), 400, "encoding"),
        (f.post(b"no zstd", 1, **{"Content-Encoding": "zstd"}), 400, "encoding"),
        (f.post(zstandard.compress(good)[:-3], 1, **{"Content-Encoding": "zstd"}), 400, "encoding"),
        (f.post(zstandard.compress(bytes(1 << 20)), 1, **{"Content-Encoding": "zstd"}), 400, "too_large"),
        (f.post(bytes(70000), 1), 413, "too_large"),
    ]
    for answer, status, reason in cases:
        assert answer.json()["reason"] == reason
        assert answer.status_code in (status, 413)
        assert answer.json()["detail"]
    assert f.status()["received"]["pairs"] == 0
    assert f.status()["refused"]["malformed"] == 2
    assert f.post(good, 1).json() == {"sequence": 1}


def test_an_unknown_rule_fails_closed_and_visibly_until_it_is_there(
    forwarder: Callable, batch: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    f = forwarder(EXPORTERS=exporters(out), WITH_DLP="false", SPEEDSCALE_FILTER_RULE="mine", RULE_RELOAD_S="0.05")
    answer = f.post(batch(1), 1)
    assert (answer.status_code, answer.json()["reason"]) == (503, "rules")
    assert "Retry-After" in answer.headers
    assert (f.ready().status_code, "no such built-in filter rule" in f.ready().text) == (503, True)

    folder = f.root / "home" / "data" / "filters"
    folder.mkdir(parents=True)
    path = folder / "mine.json"
    path.write_text(json.dumps({"id": "mine", "query": 'url IS "/orders/2"'}))
    f.until(lambda: f.ready().status_code == 200)
    assert f.post(batch(1, 2), 1).status_code == 200
    assert f.status()["filtered"] == {"mine": 1}

    path.write_text('{"id": "mine", "query": "nonsense"}')  # the last good one stays
    f.until(lambda: "unknown keyword" in f.status()["rules"])
    assert f.ready().status_code == 200
    assert f.status()["rulesState"] == "last_good"
    assert 'speedscale_forwarder_rule_state{state="last_good",use="base"} 1.0' in f.metrics()
    assert f.post(batch(2, 3), 2).status_code == 200
    assert f.status()["filtered"] == {"mine": 2}
    assert 'speedscale_forwarder_rule_reloads_total{outcome="failed"} 2.0' in f.metrics()
    f.end()
    assert recorded(out) == ["/orders/1", "/orders/3"]


def test_tokens_are_asked_for_where_configured(forwarder: Callable, batch: Callable, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("first-token-0123456789\nsecond-token-0123456789\n")
    f = forwarder(FORWARDER_TOKEN_FILE=str(tokens), WITH_DLP="false")
    answer = f.post(batch(1), 1)
    assert (answer.status_code, answer.json()["reason"]) == (401, "unauthenticated")
    assert f.post(batch(1), 1, Authorization="Bearer wrong").status_code == 403
    assert f.post(batch(1), 1, Authorization="Bearer second-token-0123456789").status_code == 200


def test_a_second_forwarder_is_kept_out_of_the_spool(forwarder: Callable) -> None:
    first = forwarder("a", WITH_DLP="false")
    with pytest.raises(AssertionError, match="in use by process"):
        forwarder("b", WITH_DLP="false", SPOOL_DIR=str(first.root / "spool"))


@pytest.mark.parametrize("name", ["FORWARDER_PORT", "METRICS_HTTP_PORT"])
def test_a_port_that_is_taken_is_named(forwarder: Callable, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"{name}: cannot listen on 127.0.0.1:{port}"):
            forwarder(WITH_DLP="false", **{name: str(port)})


def test_batches_over_tls(forwarder: Callable, batch: Callable, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "forwarder")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "tls.crt", tmp_path / "tls.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
    f = forwarder(FORWARDER_TLS_CERT_FILE=str(cert_file), FORWARDER_TLS_KEY_FILE=str(key_file), WITH_DLP="false")
    fixed = {"Speedscale-Batch-Version": "1", "Speedscale-Sender": "s", "Speedscale-Epoch": "1"}
    url = f"https://127.0.0.1:{f.port}/v1/batches"
    answer = requests.post(
        url, batch(1), headers=fixed | {"Speedscale-Sequence": "1"}, verify=str(cert_file), timeout=10
    )
    assert answer.json() == {"sequence": 1}
    with pytest.raises(requests.ConnectionError):
        requests.get(url.replace("https", "http"), timeout=10)


def test_a_body_that_breaks_off_stores_nothing_and_holds_no_memory(forwarder: Callable, batch: Callable) -> None:
    f = forwarder(WITH_DLP="false")
    payload = batch(1, response=b"x" * 5000)
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: x\r\nSpeedscale-Batch-Version: 1\r\nSpeedscale-Sender: s\r\n"
        f"Speedscale-Epoch: 1\r\nSpeedscale-Sequence: 1\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", f.port)) as half:
        half.sendall(head.encode() + payload[:-100])
        f.until(lambda: "speedscale_forwarder_inflight_bytes 0.0" not in f.metrics())
    f.until(lambda: "speedscale_forwarder_inflight_bytes 0.0" in f.metrics())
    assert f.status()["received"]["pairs"] == 0
    assert f.post(payload, 1, sender="s").json() == {"sequence": 1}
