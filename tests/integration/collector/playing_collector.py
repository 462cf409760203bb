"""A collector as its own process over TLS on loopback, with the certificate and tokens that the operator makes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
import zstandard

from speedscale_controller.certificates import Entropy, issuing, roots, senders
from speedscale_controller.certificates.model import NOTHING
from speedscale_controller.certificates.roots import Root

RUN = {
    "type": "run", "version": 1, "id": "r1", "mode": "functional", "snapshot": "s1", "testConfig": {"id": "standard"},
    "targets": ["http://shop"], "startedAt": "2026-01-03T03:04:05Z", "seed": 1, "tests": 1, "processes": 1,
}  # fmt: skip
END = {
    "type": "end", "durationMs": 1000.0, "requests": 1, "errors": 0, "iterations": 1, "offeredRate": None,
    "achievedRate": 1.0, "dropped": 0, "cpuSeconds": 0.1, "rssBytes": 1000, "learned": {}, "cancelled": False,
    "ok": True, "why": "",
}  # fmt: skip


def pair_line(status: int = 200) -> dict[str, Any]:
    def side(code: int) -> dict[str, Any]:
        request = {"url": "/a", "uri": "/a", "method": "GET", "host": "shop", "headers": {}}
        http = {"req": request, "res": {"statusCode": code, "headers": {}}}
        return {"msgType": "rrpair", "l7protocol": "http", "direction": "IN", "duration": 4, "http": http}

    times = {"scheduledMs": 0.0, "sentMs": 0.1, "latencyMs": 3.0, "serviceTimeMs": 2.9}
    place = {"index": 0, "iteration": 0, "vuser": 0, "session": "", "endpoint": "GET /a"}
    return {"type": "pair", **place, "recorded": side(200), "replayed": side(status), **times, "error": None}


def results(status: int = 200, **run: Any) -> bytes:
    from speedscale_runtime.generator.measure import Histogram

    histogram = Histogram({3000: 1}).encode()
    endpoint = {
        "type": "endpoint", "endpoint": "GET /a", "method": "GET", "location": "/a", "requests": 1, "errors": 0,
        "errorCauses": {}, "statusCodes": {str(status): 1}, "matched": int(status == 200), "latencyHdr": histogram,
        "serviceTimeHdr": histogram, "recordedLatencyHdr": histogram,
    }  # fmt: skip
    lines = [{**RUN, **run}, pair_line(status), endpoint, END]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return zstandard.ZstdCompressor().compress(out.getvalue())


class Backend(ThreadingHTTPServer):
    """What of the backend a collector uses: it keeps what comes and answers as its description says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.archives: dict[str, bytes] = {}
        self.put: dict[str, bytes] = {}
        self.away = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Backend

    def do_GET(self) -> None:
        parts = self.path.split("/")
        data = self.server.archives.get(parts[3]) if parts[2] == "snapshots" else None
        if self.server.away:
            self._answer(503, {"reason": "busy", "message": "later"})
        elif data is None:
            self._answer(404, {"reason": "not_found", "message": f"no snapshot {parts[3]}"})
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def do_PUT(self) -> None:
        body = self._body()
        self.server.put[self.path.partition("?")[0]] = body
        self._answer(200, {"id": "r1", "url": "/v1/reports/r1?format=html"} if "results" in self.path else {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _answer(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Identity:
    """Files as kubelet mounts them: the collector's Secret, and of each namespace root and token."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "identity"
        self.folder.mkdir()
        entropy, now = Entropy(), datetime.now(UTC)
        self._root, _ = roots.renew(Root(NOTHING, NOTHING, b""), now, entropy)
        ledger = senders.renew({}, ["shop", "speedscale", "other"], now, entropy)
        self.tokens = {name: sender.token for name, sender in ledger.items()}
        pair = issuing.leaf(self._root.current, ("localhost",), now, entropy)
        files = {"tls.crt": pair.certificate, "tls.key": pair.key, "tokens.json": senders.owners(ledger)}
        files |= {"ca.crt": self._root.trusted, **{f"token-{n}": t.encode() for n, t in self.tokens.items()}}
        for name, data in files.items():
            (self.folder / name).write_bytes(data)


class Process:
    """One collector."""

    def __init__(self, root: Path, identity: Identity, environ: dict[str, str]) -> None:
        self.root, self.identity, self.environ = root, identity, environ
        self.log, self.status_file = root / "collector.log", root / "status.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = self.metrics_port = 0

    def start(self) -> Process:
        self.status_file.unlink(missing_ok=True)
        folder = self.identity.folder
        fixed = {
            "POD_NAMESPACE": "speedscale",
            "WORKLOAD_NAMESPACE": "shop",
            "TEST_REPORT_ID": "r1",
            "REPLAY_ID": "uid-1",
            "REPLAY_NAME": "yucca",
            "COLLECTOR_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "COLLECTOR_TLS_CERT_FILE": str(folder / "tls.crt"),
            "COLLECTOR_TLS_KEY_FILE": str(folder / "tls.key"),
            "COLLECTOR_TOKENS_FILE": str(folder / "tokens.json"),
            "RESULTS_DIR": str(self.root / "results"),
            "STATUS_FILE": str(self.status_file),
            "SPEEDSCALE_HOME": str(self.root / "home"),
            "ANALYSE_WAIT_S": "0",
        }
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SPEEDSCALE_", "KUBE"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "speedscale_runtime.collector"],
                env={**env, **fixed, **self.environ},
                stdout=log,
                stderr=log,
            )
        process = self.process
        self.until(lambda: self.status_file.exists() or process.poll() is not None)
        if not self.status_file.exists():
            raise AssertionError(self.log.read_text())
        told = json.loads(self.status_file.read_text())
        self.port, self.metrics_port = told["port"], told["metricsPort"]
        return self

    def until(self, condition: Callable[[], Any], seconds: float = 90) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s; log:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
        return found

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def call(self, method: str, path: str, who: str = "shop", **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.identity.tokens.get(who, who)}"}
        trust = str(self.identity.folder / "ca.crt")
        return requests.request(method, self.url + path, headers=headers, verify=trust, timeout=30, **more)

    def analyse(self, **question: Any) -> dict[str, Any]:
        """Ask until there is an answer."""

        def asked() -> dict[str, Any] | None:
            answer = self.call("POST", "/v1/analyse", "speedscale", json=question)
            assert answer.status_code in (200, 202), answer.text
            return answer.json() if answer.status_code == 200 else None

        found: dict[str, Any] = self.until(asked)
        return found

    def metrics(self) -> str:
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)
