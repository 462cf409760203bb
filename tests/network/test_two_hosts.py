"""Between hosts: who may send to the forwarder, and what the proxy records of real addresses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.rrpair import recording

pytestmark = pytest.mark.network

FORWARDER = (sys.executable, "-m", "speedscale_runtime.forwarder")
PROXY = (sys.executable, "-m", "speedscale_runtime.proxy")

POST = """
import http.client, sys
host, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
from speedscale_schemas import frames
body = frames.encode(frames.Frame(b'{"msgType":"rrpair","direction":"IN"}', b"", b""))
headers = {"Content-Type": frames.BATCH_CONTENT_TYPE, frames.H_VERSION: "1",
           frames.H_SENDER: "6f2b1c62-3f0c-4f0e-9a55-0d7d5b0c1f10", frames.H_EPOCH: "1", frames.H_SEQUENCE: "1"}
if token: headers["Authorization"] = "Bearer " + token
connection = http.client.HTTPConnection(host, port, timeout=20)
connection.request("POST", frames.BATCH_PATH, body, headers)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""
GET = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
connection.request("GET", "/page?a=1", headers={"Host": "shop.example"})
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""
ORIGIN = """
import http.server, json, os, socket
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"hello from the origin"
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
path = os.environ["STATUS_FILE"]
open(path + ".tmp", "w").write(json.dumps({"port": server.server_port})); os.replace(path + ".tmp", path)
server.serve_forever()
"""


def forwarder(serve: Callable[..., dict[str, Any]], host: Any, out: Path, **environment: str) -> int:
    exporters = {"recording": {"type": "files", "path": str(out), "format": "jsonl"}}
    ready = serve(
        host,
        "forwarder",
        FORWARDER,
        FORWARDER_PORT="0",
        METRICS_HTTP_PORT="0",
        SPOOL_DIR=str(out.parent / "spool"),
        EXPORTERS=json.dumps(exporters),
        **environment,
    )
    return int(ready["port"])


def test_without_a_token_only_the_same_host_may_send(
    hosts: tuple[Any, Any], serve: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    client, server = hosts
    port = str(forwarder(serve, server, tmp_path / "out", FORWARDER_HOST="0.0.0.0"))
    refused = client.run(POST, server.v4, port, "")
    assert refused.startswith("403 ")
    assert "only this machine may send" in refused
    assert server.run(POST, "127.0.0.1", port, "").startswith("200 ")
    own_address = server.run(POST, server.v4, port, "")
    assert own_address.startswith("403 "), "an address that others can have is no proof of being here"


def test_with_tokens_another_host_may_send(
    hosts: tuple[Any, Any], serve: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    client, server = hosts
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-this-namespace-1\n")
    port = str(forwarder(serve, server, tmp_path / "out", FORWARDER_HOST="::", FORWARDER_TOKEN_FILE=str(tokens)))
    assert client.run(POST, server.v6, port, "a-token-of-this-namespace-1").startswith("200 ")
    assert client.run(POST, server.v6, port, "").startswith("401 ")
    assert client.run(POST, server.v6, port, "another-token-altogether").startswith("403 ")


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_the_proxy_records_who_called_and_who_answered(
    hosts: tuple[Any, Any], serve: Callable[..., dict[str, Any]], tmp_path: Path, family: str
) -> None:
    client, server = hosts
    out = tmp_path / "out"
    port = forwarder(serve, server, out)
    origin = serve(server, "origin", (sys.executable, "-c", ORIGIN))
    ready = serve(
        server,
        "goproxy",
        PROXY,
        PROXY_TYPE="reverse",
        PROXY_IN_HOST="::" if family == "v6" else "0.0.0.0",
        PROXY_IN_PORT="0",
        REVERSE_PROXY_HOST="127.0.0.1",
        REVERSE_PROXY_PORT=str(origin["port"]),
        HEALTH_HOST="127.0.0.1",
        HEALTH_PORT="0",
        METRICS_HTTP_PORT="0",
        FORWARDER_ADDR=f"127.0.0.1:{port}",
    )
    assert client.run(GET, getattr(server, family), str(ready["inPort"])) == "200 hello from the origin"
    entry = _first(out)
    assert entry.doc["network_address"] == f"127.0.0.1:{origin['port']}"
    assert entry.doc["http"]["req"]["host"] == "shop.example"
    caller = entry.doc["netinfo"]["downstream"]["ipAddress"]
    assert caller == getattr(client, family)


def _first(out: Path) -> Any:
    import time

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = [e.pair for e in recording.read(out) if e.pair is not None] if out.exists() else []
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nothing was recorded")
