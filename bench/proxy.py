"""The sidecar proxy, capturing to a sink process, beside HAProxy and mitmproxy, all in front of one nginx.

Reproduce with `make bench` or `python -m bench proxy`. Rounds alternate between the peers, figures are medians.
CPU a request is what the kernel charged to all processes of a proxy (ours: supervisor and worker), divided by the
requests that wrk counted. Latency at half load comes from paced connections (this file, role `load`), once directly
to nginx and once through each proxy; what a proxy adds is the difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MITMPROXY = "11.0.2"
ROUNDS = 3
SECONDS = 2
CONNECTIONS = 32
_TICK = os.sysconf("SC_CLK_TCK")
_BODY = '{"id":1,"name":"widget","price":12.5,"tags":["a","b"],"stock":14}'


@dataclass
class Peer:
    """A proxy under test: its processes, its port, what was measured."""

    name: str
    port: int
    pids: list[int]
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)
    rss_mb: float = 0.0

    def cpu_s(self) -> float:
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICK

    def measure_rate(self) -> None:
        before = self.cpu_s()
        requests, rate = _wrk(self.port)
        self.rates.append(rate)
        self.cpu_us.append((self.cpu_s() - before) / max(1, requests) * 1e6)
        self.rss_mb = max(self.rss_mb, sum(_rss_mb(pid) for pid in self.pids))

    def measure_latency(self, rate: float) -> None:
        p50, p99 = _load(self.port, rate)
        self.p50_us.append(p50)
        self.p99_us.append(p99)


def run() -> list[dict[str, Any]]:
    """Measure and return rows of what, ours, peer, peer_name, unit, ratio and goal."""
    missing = [tool for tool in ("nginx", "haproxy", "wrk") if shutil.which(tool) is None]
    if missing:
        return [{"what": "sidecar proxy", "ours": f"not run: install {', '.join(missing)}"}]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        where = Path(folder)
        origin = _nginx(stack, where)
        haproxy = _haproxy(stack, where, origin)
        ours, health = _ours(stack, where, origin)
        mitm = _mitmproxy(stack, where, origin)
        direct = Peer("direct", origin, [])
        for _ in range(ROUNDS):
            haproxy.measure_rate()
            ours.measure_rate()
        if mitm is not None:
            mitm.measure_rate()
        half = statistics.median(ours.rates) / 2
        for _ in range(ROUNDS):
            for peer in (direct, haproxy, ours):
                peer.measure_latency(half)
        stats = _stats(health)
        tls = _tls_rows(stack, where) if mitm is not None else []
    return _rows(ours, haproxy, mitm, direct, stats) + tls


def _rows(ours: Peer, haproxy: Peer, mitm: Peer | None, direct: Peer, stats: dict[str, Any]) -> list[dict[str, Any]]:
    median = statistics.median
    rows = [
        _row("requests a second", median(ours.rates), haproxy, median(haproxy.rates), "rps", ""),
        _row("CPU a request, capturing", median(ours.cpu_us), haproxy, median(haproxy.cpu_us), "µs", "≤ 1.5×"),
    ]
    if mitm is not None:
        rows.append(_row("requests a second", median(ours.rates), mitm, median(mitm.rates), "rps", "≥ 10×"))
        rows.append(_row("CPU a request, capturing", median(ours.cpu_us), mitm, median(mitm.cpu_us), "µs", ""))
    for name, mine, theirs, base, goal in (
        ("p50", ours.p50_us, haproxy.p50_us, direct.p50_us, "≤ 150 µs"),
        ("p99", ours.p99_us, haproxy.p99_us, direct.p99_us, "≤ 1000 µs"),
    ):
        added, peer = median(mine) - median(base), median(theirs) - median(base)
        rows.append(_row(f"added at half load, {name}", added, haproxy, peer, "µs", goal))
    rows.append(_row("memory of all processes", ours.rss_mb, haproxy, haproxy.rss_mb, "MB", "≤ 48 MB"))
    lost = stats["seen"] - stats["captured"] - stats["in_flight"]
    rows.append({"what": "sidecar: pairs seen and not captured", "ours": lost, "unit": f"of {stats['seen']}"})
    rows[-1]["goal"] = "0"
    return rows


def _row(what: str, mine: float, peer: Peer, theirs: float, unit: str, goal: str) -> dict[str, Any]:
    ratio = mine / theirs if theirs > 0 else None
    return {
        "what": f"sidecar: {what}",
        "ours": mine,
        "peer": theirs,
        "peer_name": peer.name,
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
    }


def _tls_rows(stack: contextlib.ExitStack, where: Path) -> list[dict[str, Any]]:
    """Intercepted TLS beside mitmproxy, kept-alive connections through CONNECT."""
    if shutil.which("openssl") is None:
        return [{"what": "sidecar, TLS out", "ours": "not run: install openssl"}]
    origin, certificate = _nginx_tls(stack, where)
    status = where / "tls.json"
    process = _start(
        stack,
        *(sys.executable, "-m", "speedscale_runtime.proxy"),
        PROXY_TYPE="forward",
        PROXY_OUT_PORT="0",
        TLS_OUT_UNWRAP="true",
        TLS_OUT_CA_FILE=str(certificate),
        SPEEDSCALE_HOME=str(where / "home"),
        HEALTH_HOST="127.0.0.1",
        HEALTH_PORT="0",
        METRICS_HTTP_PORT="0",
        STATUS_FILE=str(status),
    )
    found = _until(lambda: json.loads(status.read_text()) if status.exists() else None)
    ours = Peer("ours", found["outPort"], [process.pid, found["workerPid"]])
    mitm = _mitmproxy(stack, where, None)
    assert mitm is not None
    for _ in range(2):
        for peer in (ours, mitm):
            command = ["tls", str(peer.port), str(origin), str(SECONDS)]
            text = subprocess.check_output([sys.executable, "-m", "bench.proxy", *command], cwd=ROOT, text=True)
            peer.rates.append(float(text))
    ours.rss_mb = sum(_rss_mb(pid) for pid in ours.pids)
    opaque = _stats(found["healthPort"])["opaque"]
    assert not any(opaque.values()), f"not intercepted: {opaque}"
    rate, memory = statistics.median(ours.rates), ours.rss_mb
    rows = [_row("TLS out, requests a second", rate, mitm, statistics.median(mitm.rates), "rps", "≥ 5×")]
    rows.append({"what": "sidecar: memory with TLS interception", "ours": memory, "unit": "MB", "goal": "≤ 64 MB"})
    return rows


# -- the processes


def _start(stack: contextlib.ExitStack, *command: str, **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )

    def stop() -> None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)
    return process


def _nginx(stack: contextlib.ExitStack, where: Path) -> int:
    port = _free_port()
    (where / "nginx.conf").write_text(
        f"""daemon off; worker_processes 1; pid {where}/nginx.pid; error_log {where}/nginx.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {where}/b; proxy_temp_path {where}/p; fastcgi_temp_path {where}/f;
  uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{_BODY}'; }} }} }}
"""
    )
    _start(stack, "nginx", "-c", str(where / "nginx.conf"), "-e", str(where / "nginx.log"))
    _wait(port)
    return port


def _nginx_tls(stack: contextlib.ExitStack, where: Path) -> tuple[int, Path]:
    folder = where / "tls"
    folder.mkdir()
    certificate, key, port = folder / "cert.pem", folder / "key.pem", _free_port()
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [
            "openssl",
            "req",
            *options.split(),
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    (folder / "nginx.conf").write_text(
        f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 512; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ default_type application/json; return 200 '{_BODY}'; }} }} }}
"""
    )
    _start(stack, "nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "log"))
    _wait(port)
    return port, certificate


def _haproxy(stack: contextlib.ExitStack, where: Path, origin: int) -> Peer:
    port = _free_port()
    (where / "haproxy.cfg").write_text(
        f"""global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:{port}
  default_backend b
backend b
  server s 127.0.0.1:{origin}
"""
    )
    process = _start(stack, "haproxy", "-db", "-f", str(where / "haproxy.cfg"))
    _wait(port)
    return Peer("HAProxy", port, [process.pid])


def _ours(stack: contextlib.ExitStack, where: Path, origin: int) -> tuple[Peer, int]:
    sink = _free_port()
    _start(stack, sys.executable, "-m", "bench.proxy", "sink", str(sink))
    _wait(sink)
    status = where / "status.json"
    process = _start(
        stack,
        sys.executable,
        "-m",
        "speedscale_runtime.proxy",
        PROXY_TYPE="reverse",
        PROXY_IN_HOST="127.0.0.1",
        PROXY_IN_PORT="0",
        REVERSE_PROXY_PORT=str(origin),
        HEALTH_HOST="127.0.0.1",
        HEALTH_PORT="0",
        METRICS_HTTP_PORT="0",
        FORWARDER_ADDR=f"127.0.0.1:{sink}",
        STATUS_FILE=str(status),
    )
    found = _until(lambda: json.loads(status.read_text()) if status.exists() else None)
    return Peer("ours", found["inPort"], [process.pid, found["workerPid"]]), found["healthPort"]


def _mitmproxy(stack: contextlib.ExitStack, where: Path, origin: int | None) -> Peer | None:
    """Start mitmproxy in front of `origin`, or as a forward proxy."""
    home = ROOT / ".cache" / f"mitmproxy-{MITMPROXY}"
    program = home / "bin" / "mitmdump"
    if not program.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, stdout=subprocess.DEVNULL)
            install = [str(home / "bin" / "pip"), "install", "--quiet", f"mitmproxy=={MITMPROXY}"]
            subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"mitmproxy is left out: {error}", file=sys.stderr)
            return None
    port = _free_port()
    process = _start(
        stack,
        str(program),
        "--quiet",
        "--mode",
        "regular" if origin is None else f"reverse:http://127.0.0.1:{origin}",
        "--ssl-insecure",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(port),
        "--set",
        f"confdir={where}/mitm",
    )
    _wait(port)
    return Peer("mitmproxy", port, [process.pid])


# -- measuring


def _wrk(port: int) -> tuple[int, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/item/1?page=2"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if requests is None or rate is None or "Non-2xx" in text:
        raise RuntimeError(f"wrk: {text}")
    return int(requests[1]), float(rate[1])


def _load(port: int, rate: float) -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.proxy", "load", str(port), str(int(rate)), str(SECONDS)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    p50, p99 = json.loads(text)
    return p50, p99


def _stats(port: int) -> dict[str, Any]:
    """Return the ledger once nothing is in flight any more, or after two seconds."""

    def look() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    deadline = time.monotonic() + 2
    while (found := look())["in_flight"] and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _rss_mb(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait(port: int) -> None:
    def reached() -> bool | None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return None

    _until(reached)


def _until(look: Any, seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    raise RuntimeError("a process of the benchmark did not start")


# -- roles of their own processes


def _sink(port: int) -> None:
    """Acknowledge batches; what a forwarder costs is measured elsewhere."""
    import httptools
    import uvloop

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.parser = httptools.HttpRequestParser(self)
            self.sequence = b"0"

        def data_received(self, data: bytes) -> None:
            self.parser.feed_data(data)

        def on_header(self, name: bytes, value: bytes) -> None:
            if name.lower() == b"speedscale-sequence":
                self.sequence = value

        def on_message_complete(self) -> None:
            body = b'{"sequence":%b}' % self.sequence
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _paced(port: int, rate: float, seconds: float) -> None:
    """Print p50 and p99 in microseconds of `rate` requests a second, spread over paced connections."""
    import uvloop

    connections = 16
    period = connections / rate
    latencies: list[float] = []
    request = b"GET /item/1?page=2 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n"

    class Client(asyncio.Protocol):
        def __init__(self, offset: float) -> None:
            self.due = offset
            self.sent = 0.0
            self.got = b""

        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            loop.call_at(self.due, self.send)

        def send(self) -> None:
            self.sent = time.perf_counter()
            self.transport.write(request)

        def data_received(self, data: bytes) -> None:
            self.got += data
            if not self.got.endswith(_BODY.encode()):
                return
            latencies.append(time.perf_counter() - self.sent)
            self.got = b""
            self.due = max(self.due + period, loop.time())
            if self.due < end:
                loop.call_at(self.due, self.send)

    async def main() -> None:
        for number in range(connections):
            offset = loop.time() + period * number / connections
            await loop.create_connection(lambda o=offset: Client(o), "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.sleep(seconds + 0.2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        end = loop.time() + seconds
        runner.run(main())
    latencies.sort()
    quantiles = [latencies[int(len(latencies) * q)] * 1e6 for q in (0.5, 0.99)]
    print(json.dumps(quantiles))


def _tunnels(port: int, origin: int, seconds: float) -> None:
    """Print the requests a second of eight connections, one request at a time each, through CONNECT and TLS."""
    import ssl

    import uvloop

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = b"GET /item/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT localhost:{origin} HTTP/1.1\r\nHost: localhost:{origin}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(context, server_hostname="localhost")
        end, done = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            writer.write(request)
            await reader.readuntil(_BODY.encode())
            done += 1
        writer.transport.abort()
        return done

    async def main() -> None:
        print(sum(await asyncio.gather(*(one() for _ in range(8)))) / seconds)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        _sink(int(sys.argv[2]))
    elif sys.argv[1] == "load":
        _paced(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    elif sys.argv[1] == "tls":
        _tunnels(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
