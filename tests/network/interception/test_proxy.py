"""The real proxy behind the real rules: HTTP both ways over both families, seen by it, unchanged for its ends."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.network

# another user, who may read this interpreter wherever it lies
AS_PROXY = ("setpriv", "--reuid=2102", "--regid=2102", "--clear-groups",
            "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")  # fmt: skip
WEB = """
import http.server, os, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{sys.argv[1]} {self.path}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(("::", int(sys.argv[2])), Answer)
path = os.environ["STATUS_FILE"]
open(path + ".tmp", "w").write("{}"); os.replace(path + ".tmp", path)
server.serve_forever()
"""
GET = """
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=20)
connection.request("GET", sys.argv[3]); answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


def get(place: Any, host: str, port: int, path: str) -> str:
    return str(place.sh(sys.executable, "-c", GET, host, str(port), path)).strip()


def stats(world: Any) -> dict[str, Any]:
    """Ask the sidecar as the kubelet does, from the node."""
    text = get(world.node, world.pod.v4, 4144, "/stats")
    found: dict[str, Any] = json.loads(text.partition(" ")[2])
    return found


def seen(world: Any, at_least: int) -> int:
    deadline = time.monotonic() + 90
    while (count := int(stats(world)["seen"])) < at_least and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


def start(world: Any) -> None:
    for place, name, port in ((world.pod, "app", "8080"), (world.server, "server", "80")):
        place.start([sys.executable, "-c", WEB, name, port], f"web-{name}")
    world.pod.start(
        [*AS_PROXY, sys.executable, "-m", "speedscale_runtime.proxy"],
        "goproxy",
        PROXY_TYPE="transparent",
        STATUS_POD_IP=world.pod.v4,
        FORWARDER_ADDR="127.0.0.1:1",
        HOST_RESOLUTION="none",
        SPEEDSCALE_HOME=str(world.pod.folder),
        FLUSH_TIMEOUT_S="0",
    )


def test_requests_of_both_directions_and_families_pass_by_the_proxy(empty: Any) -> None:
    start(empty)
    empty.capture()
    assert get(empty.client, empty.pod.v4, 8080, "/in4") == "200 app /in4"
    assert get(empty.client, empty.pod.v6, 8080, "/in6") == "200 app /in6"
    assert get(empty.pod, empty.server.v4, 80, "/out4") == "200 server /out4"
    assert get(empty.pod, empty.server.v6, 80, "/out6") == "200 server /out6"
    assert get(empty.pod, "127.0.0.1", 8080, "/loopback") == "200 app /loopback"
    assert get(empty.pod, empty.pod.v4, 8080, "/own") == "200 app /own"
    assert seen(empty, 6) == 6
    assert get(empty.node, empty.pod.v4, 8080, "/probe") == "200 app /probe"
    assert get(empty.client, empty.pod.v4, 4144, "/readyz").startswith("200 ")
    empty.capture("--remove")
    assert get(empty.client, empty.pod.v4, 8080, "/after") == "200 app /after"
    assert seen(empty, 6) == 6, "probes, its own health and what comes after removal are not captured"


def test_loopback_counts_as_inbound_where_it_is_tracked(empty: Any) -> None:
    start(empty)
    empty.capture(rules={"trackLoopback": True})
    assert get(empty.pod, "127.0.0.1", 8080, "/forwarded") == "200 app /forwarded"
    assert get(empty.pod, "::1", 8080, "/forwarded") == "200 app /forwarded"
    assert seen(empty, 2) == 2
