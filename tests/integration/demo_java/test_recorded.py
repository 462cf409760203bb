"""The demo around nothing of its own: recorded over TLS with redaction, then replayed on a fresh server."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.rrpair import RRPair, recording

from .conftest import DEMO, SPEEDCTL, Pki, counts, environment, need
from .test_programs import ADA, ORDER

BAGGAGE = "speedscale-replay=r-1"

pytestmark = pytest.mark.integration
Programs = Callable[..., Any]

ORIGINALS = [ADA["name"], ADA["email"], ADA["phone"], ADA["card"]["number"]]  # type: ignore[index]


def ready(status: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if status.exists():
            found: dict[str, Any] = json.loads(status.read_text())
            return found
        time.sleep(0.02)
    raise AssertionError("the recording did not start")


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_traffic_is_recorded_in_and_out_of_tls_and_replays(
    programs: Programs, pki: Pki, jars: Path, tmp_path: Path, free_port: int
) -> None:
    payments = programs("server", ROLE="payments", **pki.served)
    out, status = tmp_path / "recording", tmp_path / "status.json"
    # The JVM trusts by the store that this recording writes, the proxy by SSL_CERT_FILE.
    variables = environment(
        SPEEDSCALE_HOME=tmp_path / "home",
        SSL_CERT_FILE=pki.ca,
        PORT=free_port,
        DRAIN_SECONDS=0,
        DEPENDENCY_TIMEOUT_MS=30_000,
        DEPENDENCY_URL=f"https://localhost:{payments.port}",
    )
    command = [*SPEEDCTL, "record", "--app-host", "localhost", "--app-port", str(free_port)]
    command += ["--proxy-in-port", "0", "--proxy-out-port", "0", "--status-file", str(status), "--output", "json"]
    command += ["--out", str(out), "--", need("java"), f"@{DEMO / 'java.options'}", "-jar", str(jars / "server.jar")]
    with (tmp_path / "err").open("wb") as err, (tmp_path / "out").open("wb") as printed:
        process = subprocess.Popen(command, env=variables, stdout=printed, stderr=err, text=True)
    try:
        port = ready(status, process)["inPort"]
        until_it_serves(payments, port)
        client = programs("client", SERVER_URL=f"http://localhost:{port}", ROUNDS=6)
        assert client.wait() == 0, client.lines
        assert payments.ask("PUT", "/api/customers/ada", ADA, port=port)[0] == 201
        marked = {"baggage": BAGGAGE}
        code, order = payments.ask("POST", "/api/orders", ORDER, port=port, headers=marked)
        assert (code, order["payment"]["status"]) == (201, "paid")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    pairs = [entry.pair for entry in recording.read(out) if entry.pair is not None]
    inbound = [p for p in pairs if p.doc["direction"] == "IN" and "/api/" in p.doc["location"]]
    outbound = [p for p in pairs if p.doc["direction"] == "OUT"]
    found = counts(client)
    charges = payments.lines.count("route=/v1/charges")
    assert len(inbound) == found["requests"] + 2
    assert len(outbound) == charges > 6
    assert {p.doc["l7protocol"] for p in outbound} == {"https"}
    assert [_baggage(p) for p in outbound] == [[]] * (charges - 1) + [[BAGGAGE]], "it goes with what it came for"
    charge = json.loads(outbound[-1].response_body or b"")
    assert charge["status"] == "captured"
    assert charge["receiptTo"].startswith("REDACTED-EMAIL-")
    assert charge["card"]["number"].startswith("REDACTED-CREDIT_CARD-")
    files = [path for path in out.rglob("*") if path.is_file()]
    assert find_leaks([*files, payments.log, tmp_path / "err", tmp_path / "out"], [str(o) for o in ORIGINALS]) == []
    replays(programs, payments, pki, out, tmp_path)


def _baggage(pair: RRPair) -> list[str]:
    headers = (pair.http_request or {}).get("headers") or {}
    return [value for name, values in headers.items() if name.lower() == "baggage" for value in values]


def until_it_serves(payments: Any, port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if payments.ask("GET", "/healthz", port=port)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not start")


def replays(programs: Programs, payments: Any, pki: Pki, recorded: Path, folder: Path) -> None:
    """Assert that a fresh server gives the recorded answers, to redacted requests."""
    shop = programs(
        "server",
        DEPENDENCY_URL=f"https://localhost:{payments.port}",
        DEPENDENCY_TIMEOUT_MS=30_000,
        JAVA_TOOL_OPTIONS=f"-Djavax.net.ssl.trustStore={pki.jks} -Djavax.net.ssl.trustStorePassword=changeit",
    )
    command = [*SPEEDCTL, "replay", "--in", str(recorded), "--test-against", f"http://localhost:{shop.port}"]
    done = subprocess.run(
        [*command, "--timing", "full-speed", "--out", str(folder / "results")],
        env=environment(SPEEDSCALE_HOME=folder / "home"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    report = json.loads((folder / "results" / "report.json").read_text())
    assert report["status"] == "Passed"
