"""The one page of a kubelet that a log is read from, for a control plane without nodes: the API server calls it by TLS.

`/containerLogs/<namespace>/<pod>/<container>` with `tailLines`, `timestamps` and `follow`, as kubelet answers. A test
writes lines while they are followed.
"""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from speedscale_kube import Client, Ref
from speedscale_schemas import x509

from .cluster import Cluster
from .components import HOST

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class KubeletPage:
    """A node with one pod, whose log is here."""

    def __init__(self, kube: Client, folder: Path, namespace: str) -> None:
        self._kube, self.namespace, self.node = kube, namespace, f"node-{namespace}"[:60].rstrip("-")
        self._lines: list[tuple[datetime, bytes]] = []
        self._changed = threading.Condition()
        self._ended = False
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                page._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def make(self, pod: str = "cart-0") -> None:
        """Make the node, and a pod that is bound to it."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}
        self._kube.create(node, "kubelet")
        port = self._server.server_address[1]
        addresses = [{"type": "InternalIP", "address": HOST}]
        status = {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}
        self._kube.patch(Ref("v1", "Node", "", self.node), {"status": status}, "kubelet", subresource="status")
        account = Ref("v1", "ServiceAccount", self.namespace, "default")
        Cluster.until(lambda: self._kube.find(account) is not None, f"{account} is there")
        spec = {"nodeName": self.node, "containers": [{"name": "cart", "image": "example.com/cart:1"}]}
        meta = {"name": pod, "namespace": self.namespace}
        self._kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, "kubelet")

    def write(self, *lines: str) -> None:
        """The container writes lines, one a millisecond."""
        with self._changed:
            for line in lines:
                self._lines.append((_BEGIN + timedelta(milliseconds=len(self._lines)), line.encode()))
            self._changed.notify_all()

    def end(self) -> None:
        """The container ends."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def remove(self) -> None:
        """Take node and server away."""
        self.end()
        self._kube.delete(Ref("v1", "Node", "", self.node))
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, call: http.server.BaseHTTPRequestHandler) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(call.path).query).items()}
        stamps, follow = asked.get("timestamps") == "true", asked.get("follow") == "true"
        call.send_response(200)
        call.send_header("Content-Type", "text/plain")
        call.send_header("Transfer-Encoding", "chunked")
        call.end_headers()
        with self._changed:
            after = max(0, len(self._lines) - int(asked["tailLines"])) if "tailLines" in asked else 0
        with contextlib.suppress(OSError):
            while True:
                with self._changed:
                    lines = self._lines[after:]
                    over = not follow or self._ended
                    if not lines and not over:
                        self._changed.wait(1.0)
                        continue
                for at, line in lines:
                    self._chunk(call, (f"{at:%Y-%m-%dT%H:%M:%S.%f}Z ".encode() if stamps else b"") + line + b"\n")
                after += len(lines)
                if over and not self._lines[after:]:
                    call.wfile.write(b"0\r\n\r\n")
                    return

    def _chunk(self, call: Any, data: bytes) -> None:
        call.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _certificate(folder: Path) -> Path:
    now = datetime.now(UTC).replace(microsecond=0)
    validity = x509.Validity(now - timedelta(hours=1), now + timedelta(hours=2))
    root_key, key = x509.new_key(), x509.new_key()
    leaf = x509.Issuer(x509.root("kubelet", root_key, validity, 1), root_key).leaf([HOST], key, validity, 2)
    path = folder / "kubelet.pem"
    path.write_bytes(leaf + key)
    return path
