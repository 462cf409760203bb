"""The generator against real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Generator, Request, Server, answer, pair

pytestmark = pytest.mark.integration
Serve = Callable[..., Server]
FULL = {"requestDelay": {"timing": "full-speed"}}


def shop() -> tuple[Any, set[str]]:
    """An application with a login: fresh token, session cookie, CSRF token and order ids on each run."""
    given: set[str] = set()

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        cookies = dict(c.strip().split("=", 1) for c in request.headers.get("cookie", "").split(";") if "=" in c)
        if request.uri == "/login":
            new = {name: secrets.token_urlsafe(24) for name in ("access_token", "csrf")}
            sid = secrets.token_hex(16)
            given.update([*new.values(), sid])
            answer(writer, new, 200, f"Set-Cookie: sid={sid}; HttpOnly")
        elif token not in given or cookies.get("sid") not in given:
            answer(writer, {"error": "who are you"}, 401)
        elif request.uri == "/orders":
            order = str(secrets.randbelow(10**8) + 10**8)
            ok = request.headers.get("x-csrf-token") in given
            given.add(order)
            answer(writer, {"orderId": order}, 200 if ok else 403)
        else:
            answer(writer, {"ok": True}, 200 if request.uri.rsplit("/", 1)[1] in given else 404)

    return handle, given


def recorded_login(token: str, csrf: str, sid: str, order: str, **more: Any) -> list[dict[str, Any]]:
    auth = {"Authorization": f"Bearer {token}", "Cookie": f"theme=dark; sid={sid}"}
    return [
        pair(0, "POST", "/login", body={"user": "ann"}, answer={"access_token": token, "csrf": csrf},
             answer_headers={"Set-Cookie": [f"sid={sid}; HttpOnly"]}, **more),
        pair(1, "POST", "/orders", headers={**auth, "X-CSRF-Token": csrf}, body={}, answer={"orderId": order},
             session=token, **more),
        pair(2, "GET", f"/orders/{order}", headers=auth, answer={"ok": True}, session=token, **more),
    ]  # fmt: skip


def test_a_login_works_by_itself_with_fresh_tokens_each_time(serve: Serve, generator: Generator) -> None:
    handle, given = shop()
    server = serve(handle)
    recording = generator.record(
        *recorded_login("rec-token-0123456789", "rec-csrf-0123456789", "recsid0123456789", "123456789")
    )
    result = generator.run(
        recording,
        f":{server.port},app=http://127.0.0.1:{server.port}",
        [{"virtualUsers": {"virtualUsers": 2, "iterations": 2, **FULL}}],
    )
    assert [line["replayed"]["http"]["res"]["statusCode"] for line in result.of("pair")] == [200] * 12
    assert result.end["learned"] == {"cookie": 2, "csrf": 2, "id": 2, "oauth2": 2}
    assert len(given) == 4 * 4
    assert result.summary.ok


def test_without_smart_replacement_the_same_replay_fails(serve: Serve, generator: Generator) -> None:
    handle, _ = shop()
    server = serve(handle)
    recording = generator.record(
        *recorded_login("rec-token-0123456789", "rec-csrf-0123456789", "recsid0123456789", "123456789")
    )
    result = generator.run(recording, f"http://127.0.0.1:{server.port}", smartReplace=False)
    assert [line["replayed"]["http"]["res"]["statusCode"] for line in result.of("pair")] == [200, 401, 401]


def test_a_redacted_recording_logs_in_and_its_results_hold_no_live_secret(serve: Serve, generator: Generator) -> None:
    handle, given = shop()
    server = serve(handle)

    def redacted(kind: str, digit: str) -> str:
        return f"REDACTED-{kind}-{digit * 20}"

    recording = generator.record(
        *recorded_login(redacted("TOKEN", "1"), redacted("TOKEN", "2"), redacted("TOKEN", "3"), "123456789",
                        dlpModified=True, dlpRule="standard")
    )  # fmt: skip
    result = generator.run(recording, f"http://127.0.0.1:{server.port}")
    assert [line["replayed"]["http"]["res"]["statusCode"] for line in result.of("pair")] == [200, 200, 200]
    tokens = [value for value in given if not value.isdigit()]
    assert len(tokens) == 3
    for value in tokens:
        for form in (value, base64.b64encode(value.encode()).decode().rstrip("=")):
            assert form.encode() not in result.raw
        for line in result.of("pair"):
            for side in ("req", "res"):
                body = base64.b64decode(line["replayed"]["http"][side].get("bodyBase64", ""))
                assert value.encode() not in body
    assert all(line["replayed"]["dlpRule"] == "standard" for line in result.of("pair"))


def test_a_clean_pair_of_a_redacted_recording_is_redacted_when_it_brings_something_back(
    serve: Serve, generator: Generator
) -> None:
    async def leaking(request: Request, writer: asyncio.StreamWriter) -> None:
        answer(writer, {"contact": "jane.roe@company.com"})

    server = serve(leaking)
    recording = generator.record(pair(0, dlpModified=True, dlpRule="standard"), pair(1, uri="/clean"))
    result = generator.run(recording, f"http://127.0.0.1:{server.port}")
    assert b"jane.roe" not in result.raw
    bodies = [base64.b64decode(line["replayed"]["http"]["res"]["bodyBase64"]) for line in result.of("pair")]
    assert all(b"REDACTED-EMAIL-" in body and b"jane" not in body for body in bodies)


def test_an_unknown_redaction_rule_fails_closed(serve: Serve, generator: Generator) -> None:
    server = serve()
    recording = generator.record(pair(0, uri="/a?secret=live-echo-1", dlpModified=True, dlpRule="lost"))
    result = generator.run(recording, f"http://127.0.0.1:{server.port}")
    (line,) = result.of("pair")
    assert "live-echo-1" not in json.dumps(line["replayed"])
    assert "could not be applied" in line["replayed"]["events"][0]["message"]


def raw(data: bytes, *, close: bool = False, reset: bool = False) -> Any:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if close or reset:
            await writer.drain()
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                writer.transport.abort()
            writer.close()

    return handle


ANSWERS = [
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n", False, 200, b"abcde"),  # noqa: E501
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", False, 200, b""),
    ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False, 200, b""),
    ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b""),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False, 304, b""),
    ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, 200, b"until the end"),
    ("GET", b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nold", True, 200, b"old"),
    ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", True, 200, b"abc"),
    ("POST", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", False, 201, b"ok"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("method", "data", "close", "status", "body"), ANSWERS)
@pytest.mark.parametrize("low_data", [False, True])
def test_answers_of_every_shape(
    serve: Serve, generator: Generator, method: str, data: bytes, close: bool, status: int, body: bytes, low_data: bool
) -> None:
    server = serve(raw(data, close=close))
    recording = generator.record(pair(0, method), pair(0.1, method))
    result = generator.run(recording, f"http://127.0.0.1:{server.port}", lowData=low_data, timeout=5)
    assert result.end["errors"] == 0
    assert result.of("endpoint")[0]["statusCodes"] == {str(status): 2}
    assert server.connections == (2 if close else 1)
    for line in result.of("pair"):
        assert base64.b64decode(line["replayed"]["http"]["res"]["bodyBase64"]) == body
    assert len(result.of("pair")) == (0 if low_data else 2)


FAULTS = [
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", close=True), "closed"),
    (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", close=True), "closed"),
    (raw(b"", close=True), "closed"),
    (raw(b"SSH-2.0-x\r\n"), "protocol"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", reset=True), "reset"),
    (raw(b""), "timeout"),
    (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000), "oversize"),
]


@pytest.mark.parametrize(("handler", "cause"), FAULTS, ids=[f"{c}-{i}" for i, (_, c) in enumerate(FAULTS)])
def test_faults_are_told_apart(serve: Serve, generator: Generator, handler: Any, cause: str) -> None:
    server = serve(handler)
    result = generator.run(
        generator.record(pair(0)),
        f"http://127.0.0.1:{server.port}",
        timeout="300ms",
        environ={"MAX_RESPONSE_BYTES": "2048"},
    )
    assert [line["error"] for line in result.of("pair")] == [cause]
    assert result.of("endpoint")[0]["errorCauses"] == {cause: 1}
    assert not result.summary.ok
    assert f"no request got an answer ({cause})" in result.summary.why


def test_nobody_listens(generator: Generator) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = generator.run(generator.record(pair(0), pair(1)), f"http://127.0.0.1:{port}")
    assert [line["error"] for line in result.of("pair")] == ["refused", "refused"]
    assert [line["sentMs"] for line in result.of("pair")] == [None, None]


def test_an_idle_connection_that_the_server_closed_is_replaced(serve: Serve, generator: Generator) -> None:
    async def once(request: Request, writer: asyncio.StreamWriter) -> None:
        answer(writer, {"ok": True})
        await writer.drain()
        writer.close()

    server = serve(once)
    result = generator.run(generator.record(*[pair(n / 10) for n in range(5)]), f"http://127.0.0.1:{server.port}")
    assert result.end["errors"] == 0
    assert len(server.requests) == 5


def test_tls_verifies_unless_told(serve: Serve, generator: Generator, certificate: tuple[ssl.SSLContext, Path]) -> None:
    context, ca = certificate
    server = serve(context=context)
    recording, target = generator.record(pair(0)), f"https://localhost:{server.port}"
    assert [line["error"] for line in generator.run(recording, target).of("pair")] == ["tls"]
    trusted = generator.run(recording, target, environ={"TLS_CA_FILE": str(ca)})
    assert [line["replayed"]["http"]["res"]["statusCode"] for line in trusted.of("pair")] == [200]
    assert generator.run(recording, target, environ={"TLS_SKIP_VERIFY": "true"}).summary.ok


def test_load_over_two_processes_counts_every_request(serve: Serve, generator: Generator) -> None:
    server = serve()
    stage = {"virtualUsers": {"virtualUsers": 6, "iterations": 50, **FULL}}
    result = generator.run(
        generator.record(pair(0, uri="/a/1"), pair(0.1, uri="/a/2")),
        f"http://127.0.0.1:{server.port}",
        [stage],
        lowData=True,
        processes=2,
    )
    assert result.end["requests"] == len(server.requests) == 600
    assert result.end["iterations"] == 300
    assert result.lines[0]["processes"] == 2
    assert result.of("pair") == []
    assert [e["requests"] for e in result.of("endpoint")] == [600]
    assert sum(i["requests"] for i in result.of("interval")) == 600
    assert server.connections == 6


def test_a_rate_that_cannot_be_offered_fails_the_run(serve: Serve, generator: Generator) -> None:
    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        answer(writer, {})

    server = serve(slow)
    stage = {"requestsPerSecond": {"requestsPerSecond": 200, "duration": 1, "virtualUsers": 2, "maxLag": 0.2}}
    result = generator.run(generator.record(pair(0)), f"http://127.0.0.1:{server.port}", [stage], lowData=True)
    assert result.end["offeredRate"] == 200
    assert result.end["dropped"] > 150
    assert not result.summary.ok
    assert "the rate was not offered" in result.summary.why


def test_a_rate_that_can_be_offered_is(serve: Serve, generator: Generator) -> None:
    server = serve()
    stage = {"requestsPerSecond": {"requestsPerSecond": 100, "duration": 1, "virtualUsers": 20}}
    result = generator.run(generator.record(pair(0)), f"http://127.0.0.1:{server.port}", [stage], lowData=True)
    assert result.end["requests"] == 100
    assert result.end["dropped"] == 0
    assert result.summary.ok


def test_the_same_seed_sends_the_same_bytes(serve: Serve, generator: Generator) -> None:
    server = serve()
    chain = {
        "extractor": {"type": "http_req_header", "config": {"name": "X-Id"}},
        "transforms": [{"type": "rand_string", "config": {"pattern": "[a-z]{16}"}}],
    }
    document = {"id": "seeded", "transforms": {"generator": [chain]}, "generator": {"stages": [{"virtualUsers": FULL}]}}
    sent = []
    for seed in ("5", "5", "6"):
        server.requests.clear()
        environ = {"TEST_CONFIG": json.dumps(document), "SEED": seed}
        generator.run(generator.record(pair(0), pair(1)), f"http://127.0.0.1:{server.port}", environ=environ)
        sent.append([(r.method, r.uri, r.headers, r.body) for r in server.requests])
    assert sent[0] == sent[1] != sent[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_and_keeps_what_was_measured(serve: Serve, generator: Generator, number: int) -> None:
    server = serve()
    recording = generator.record(pair(0), pair(30))
    results = generator.folder / "results.jsonl"
    environ = {
        **os.environ, "SNAPSHOT_ID": str(recording), "CUSTOM_URL": f"http://127.0.0.1:{server.port}",
        "RESULTS_FILE": str(results), "SPEEDSCALE_HOME": str(generator.folder), "LOG_LEVEL": "error",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "speedscale_runtime.generator"], env=environ, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 90
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert process.returncode == 1
    assert b"stopped before its end" in errors
    assert lines[-1]["cancelled"] is True
    assert [line["error"] for line in lines if line["type"] == "pair"] in ([None], ["cancelled"])


def test_an_error_in_use_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    environ = {**os.environ, "SNAPSHOT_ID": str(tmp_path / "none"), "TEST_CONFIG_ID": "standart", "LOG_LEVEL": "error"}
    done = subprocess.run(
        [sys.executable, "-m", "speedscale_runtime.generator"], env=environ, capture_output=True, timeout=20
    )
    assert done.returncode == 2
    assert b"did you mean 'standard'" in done.stderr


def test_results_that_cannot_be_written_are_an_error_in_use(generator: Generator) -> None:
    (generator.folder / "file").write_text("")
    environ = {
        **os.environ, "SNAPSHOT_ID": str(generator.record(pair(0))), "LOG_LEVEL": "error",
        "RESULTS_FILE": str(generator.folder / "file" / "results.jsonl"), "SPEEDSCALE_HOME": str(generator.folder),
    }  # fmt: skip
    command = [sys.executable, "-m", "speedscale_runtime.generator"]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=20)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"Not a directory" in done.stderr or b"File exists" in done.stderr


def test_metrics_while_a_run_lasts(serve: Serve, generator: Generator) -> None:
    server = serve()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ, "SNAPSHOT_ID": str(generator.record(pair(0), pair(30))), "LOG_LEVEL": "error",
        "CUSTOM_URL": f"http://127.0.0.1:{server.port}", "RESULTS_FILE": str(generator.folder / "results.jsonl"),
        "SPEEDSCALE_HOME": str(generator.folder), "METRICS_PORT": str(port),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "speedscale_runtime.generator"], env=environ, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 90
        text = ""
        while "speedscale_generator_requests 1.0" not in text and time.monotonic() < deadline:
            try:
                text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
            except OSError:
                time.sleep(0.02)
        assert "speedscale_generator_requests 1.0" in text
        assert "speedscale_generator_running 1.0" in text
    finally:
        process.terminate()
        process.wait(90)


def test_workers_end_when_nobody_is_left_to_read_them(serve: Serve, generator: Generator) -> None:
    server = serve()
    environ = {
        **os.environ, "SNAPSHOT_ID": str(generator.record(pair(0), pair(30))), "LOG_LEVEL": "error",
        "CUSTOM_URL": f"http://127.0.0.1:{server.port}", "RESULTS_FILE": str(generator.folder / "results.jsonl"),
        "SPEEDSCALE_HOME": str(generator.folder),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "speedscale_runtime.generator"], env=environ)
    deadline = time.monotonic() + 90
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert len(workers) == 1
    while time.monotonic() < deadline and _runs(workers[0]):
        time.sleep(0.01)
    assert not _runs(workers[0])


def _runs(pid: str) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
