"""The whole proxy as processes: supervisor and worker, killed and stopped while traffic runs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Origin = Callable[..., Awaitable[int]]
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def serve(reader: Reader, writer: Writer) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def ask(port: int, *, preamble: bytes = b"", skip: int = 0) -> bytes:
    """One connection, one request; the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if preamble:
            writer.write(preamble)
            await (reader.readexactly(skip) if skip else reader.readuntil(b"\r\n\r\n"))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(2)
    finally:
        writer.close()


class Proxy:
    """A running `python -m speedscale_runtime.proxy`; what it logs says where it stands."""

    def __init__(self, process: asyncio.subprocess.Process, status_file: Path) -> None:
        self.process = process
        self.status_file = status_file
        self.events: list[dict[str, Any]] = []

    async def until(self, event: str) -> dict[str, Any]:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": line.decode()}
            self.events.append(entry)
            if entry["event"] == event:
                return entry
        raise AssertionError(f"ended without {event}: {self.events}")

    @property
    def status(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.status_file.read_text())
        return found

    async def stats(self) -> dict[str, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.status["healthPort"])
        writer.write(b"GET /stats HTTP/1.0\r\n\r\n")
        body = (await reader.read(-1)).partition(b"\r\n\r\n")[2]
        writer.close()
        found: dict[str, Any] = json.loads(body)
        return found

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        assert self.process.stderr is not None
        for line in (await self.process.stderr.read()).splitlines():
            self.events.append(json.loads(line) if line.startswith(b"{") else {"event": line.decode()})
        return await self.process.wait()


Launch = Callable[..., Awaitable[Proxy]]


@pytest.fixture
async def launch(process_environment: dict[str, str]) -> AsyncIterator[Launch]:
    running: list[Proxy] = []

    async def make(**environment: str) -> Proxy:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "speedscale_runtime.proxy",
            env={**process_environment, **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        proxy = Proxy(process, Path(process_environment["STATUS_FILE"]))
        running.append(proxy)
        return proxy

    yield make
    for proxy in running:
        await proxy.stop()


async def health(port: int) -> bytes:
    """The status line of /healthz; asked again while the port passes from supervisor to worker."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0)
            continue
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = await reader.read(-1)
        writer.close()
        return answer.partition(b"\r\n")[0] + b" "


def alive(pid: int) -> bool:
    """Whether a process runs (and is no zombie)."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


async def test_kill_9_of_the_worker_fails_no_new_connection(launch: Launch, origin: Origin, forwarder: Any) -> None:
    port = await origin(serve)
    proxy = await launch(REVERSE_PROXY_PORT=str(port), FORWARDER_ADDR=f"127.0.0.1:{forwarder.port}")
    first = await proxy.until("serving")
    status = proxy.status
    assert await asyncio.gather(*(ask(status["inPort"]) for _ in range(100))) == [b"ok"] * 100
    # one connection is in flight when the worker dies
    reader, writer = await asyncio.open_connection("127.0.0.1", status["inPort"])
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"ok")

    os.kill(first["worker"], signal.SIGKILL)
    connect = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port
    socks = b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", port)
    asked = [ask(status["inPort"]) for _ in range(300)]
    asked += [ask(status["outPort"], preamble=connect) for _ in range(50)]
    asked += [ask(status["outPort"], preamble=socks, skip=12) for _ in range(50)]
    assert await asyncio.gather(*asked) == [b"ok"] * 400
    assert await reader.read(-1) == b""
    writer.close()

    second = await proxy.until("serving")
    assert second["worker"] != first["worker"]
    ended = next(e for e in proxy.events if e["event"] == "worker_ended")
    assert ended["code"] == -signal.SIGKILL
    assert ended["connectionsCut"] >= 1
    assert proxy.status["inPort"] == status["inPort"]
    assert await asyncio.gather(*(ask(status["inPort"]) for _ in range(100))) == [b"ok"] * 100
    stats = await proxy.stats()
    assert stats["worker_starts"] == 2
    assert stats["supervised"]["in"] + stats["supervised"]["out"] > 0
    assert stats["cut"]["in"] >= 1
    assert await proxy.stop() == 0
    stopped = next(e for e in proxy.events if e["event"] == "stopped")
    assert stopped["seen"] == stopped["captured"] + sum(stopped["dropped"].values())


async def test_absolute_form_while_there_is_no_worker(launch: Launch, origin: Origin) -> None:
    port = await origin(serve)
    proxy = await launch()
    worker = (await proxy.until("serving"))["worker"]
    os.kill(worker, signal.SIGSTOP)  # it cannot accept
    os.kill(worker, signal.SIGKILL)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.status["outPort"])
    writer.write(b"GET http://127.0.0.1:%d/x HTTP/1.1\r\nHost: a\r\n\r\n" % port)
    assert b"ok" in await reader.readuntil(b"ok")
    writer.close()
    await proxy.until("serving")


async def test_stop_finishes_what_is_under_way_and_flushes(launch: Launch, origin: Origin, forwarder: Any) -> None:
    go_on = asyncio.Event()

    async def slow(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    port = await origin(slow)
    proxy = await launch(
        REVERSE_PROXY_PORT=str(port), FORWARDER_ADDR=f"127.0.0.1:{forwarder.port}", BATCH_LINGER_MS="60000"
    )
    worker = (await proxy.until("serving"))["worker"]
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.status["inPort"])
    writer.write(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    while not (await proxy.stats())["opened"]["in"]:
        await asyncio.sleep(0)
    proxy.process.send_signal(signal.SIGTERM)
    await proxy.until("stopping")
    go_on.set()
    await reader.readuntil(b"ok")
    writer.close()
    assert await proxy.ended() == 0
    assert [p.doc["location"] for p in forwarder.pairs] == ["/late"]
    assert not alive(worker)
    assert not proxy.status_file.exists()


async def test_end_of_the_supervisor_ends_the_worker(launch: Launch) -> None:
    proxy = await launch(FLUSH_TIMEOUT_S="0")
    worker = (await proxy.until("serving"))["worker"]
    proxy.process.kill()
    await proxy.process.wait()
    assert proxy.process.stderr is not None
    await proxy.process.stderr.read()  # ends when the worker, which holds the same pipe, has ended
    assert not alive(worker)


async def test_bad_settings_are_all_named_and_nothing_is_served(launch: Launch) -> None:
    proxy = await launch(PROXY_IN_PORT="http", FORWARDER_ADDR="ftp://x", PROXY_TYPE="revers")
    assert proxy.process.stderr is not None
    text = (await proxy.process.stderr.read()).decode()
    assert await proxy.process.wait() == 2
    assert "PROXY_IN_PORT" in text
    assert "PROXY_TYPE" in text


async def test_port_in_use_is_said_before_serving(launch: Launch, origin: Origin) -> None:
    port = await origin(serve)
    proxy = await launch(PROXY_IN_PORT=str(port))
    assert proxy.process.stderr is not None
    text = (await proxy.process.stderr.read()).decode()
    assert await proxy.process.wait() == 2
    assert f"port {port}" in text


async def test_health_and_metrics(launch: Launch) -> None:
    proxy = await launch()
    await proxy.until("serving")
    for path, wanted in (("/healthz", b"ok"), ("/readyz", b"ok"), ("/metrics", b"speedscale_goproxy_pairs_seen_total")):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.status["metricsPort"])
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read(-1)
        assert b" 200 " in answer.partition(b"\r\n")[0]
        assert wanted in answer
        writer.close()


async def test_the_last_numbers_are_left_in_the_stats_file(
    launch: Launch, origin: Origin, forwarder: Any, tmp_path: Path
) -> None:
    port, left = await origin(serve), tmp_path / "last.json"
    proxy = await launch(
        REVERSE_PROXY_PORT=str(port), FORWARDER_ADDR=f"127.0.0.1:{forwarder.port}", STATS_FILE=str(left)
    )
    await proxy.until("serving")
    for _ in range(3):
        assert await ask(proxy.status["inPort"]) == b"ok"
    assert not left.exists()
    assert await proxy.stop() == 0
    stats = json.loads(left.read_text())
    assert (stats["seen"], stats["captured"], stats["in_flight"]) == (3, 3, 0)
    assert stats["opened"] == stats["closed"] == {"in": 3, "out": 0}
    assert not any(stats["dropped"].values())


async def test_worker_that_keeps_dying_leaves_health_and_traffic(launch: Launch, origin: Origin) -> None:
    port = await origin(serve)
    proxy = await launch(REVERSE_PROXY_PORT=str(port))
    for _ in range(4):  # from the second time on, the supervisor waits before it starts the next one
        worker = (await proxy.until("serving"))["worker"]
        os.kill(worker, signal.SIGKILL)
        ended = await proxy.until("worker_ended")
        assert await ask(proxy.status["inPort"]) == b"ok"
    assert ended["failures"] == 3
    assert b" 200 " in await health(proxy.status["healthPort"])
    await proxy.until("serving")
    assert (await proxy.stats())["worker_starts"] == 5


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("wrk")), reason="nginx and wrk are not installed")
async def test_nothing_is_missing_under_load_from_wrk_on_nginx(
    launch: Launch, forwarder: Any, tmp_path: Path, unused_port: int
) -> None:
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"""daemon off; worker_processes 1; pid {tmp_path}/pid; error_log {tmp_path}/log;
events {{ worker_connections 512; }}
http {{ access_log off; gzip on; gzip_min_length 1; gzip_types text/plain;
  client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
  uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
  server {{ listen 127.0.0.1:{unused_port}; location / {{ default_type text/plain; return 200 "some text, some text"; }}
  }} }}
"""
    )
    nginx = await asyncio.create_subprocess_exec("nginx", "-c", str(configuration), "-e", str(tmp_path / "log"))
    try:
        proxy = await launch(
            REVERSE_PROXY_PORT=str(unused_port),
            FORWARDER_ADDR=f"127.0.0.1:{forwarder.port}",
            QUEUE_MAX_BYTES="500000000",
            DRAIN_TIMEOUT_S="5",
            FLUSH_TIMEOUT_S="60",
        )
        await proxy.until("serving")
        url = f"http://127.0.0.1:{proxy.status['inPort']}/x"
        wrk = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", "-c16", "-d1s", "-H", "Accept-Encoding: gzip", url), stdout=asyncio.subprocess.PIPE
        )
        text = (await wrk.communicate())[0].decode()
        found = re.search(r"(\d+) requests in", text)
        assert found is not None
        assert "Socket errors" not in text
        assert await proxy.stop() == 0
    finally:
        nginx.terminate()
        await nginx.wait()
    stopped = next(e for e in proxy.events if e["event"] == "stopped")
    dropped = stopped["dropped"]
    assert stopped["seen"] == stopped["captured"] + sum(dropped.values())
    assert sum(dropped.values()) == dropped["client_gone"] + dropped["server_gone"] <= 16  # cut by wrk at its end
    assert stopped["captured"] == len(forwarder.pairs) >= int(found[1])
    assert forwarder.pairs[0].doc["http"]["res"]["headers"]["Content-Encoding"] == ["gzip"]
    assert forwarder.pairs[0].response_body.startswith(b"\x1f\x8b")
