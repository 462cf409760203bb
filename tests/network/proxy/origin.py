"""A server for the tests of this folder: `origin.py KIND ADDRESS [CERTIFICATE [CLIENT_CA]]`; port in STATUS_FILE.

Kinds: `http` answers GET /bytes/<n> with n bytes that follow from n, and POST with the SHA-256 of what it got;
`banner` speaks first, as mail servers and MySQL do, then says the SHA-256 of all it reads; `slow` is `http` that waits
for the file named by PATH before each answer.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import sys
import time
from pathlib import Path


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.wait()
        self.answer(hashlib.shake_128(self.path.encode()).digest(int(self.path.rpartition("/")[2])))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.wait()
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def wait(self) -> None:
        wanted = os.environ.get("WAIT_FOR")
        while wanted and not Path(wanted).exists():
            time.sleep(0.01)

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Banner(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"220 ready\r\n")
        digest = hashlib.sha256()
        while data := self.request.recv(65536):
            digest.update(data)
        self.request.sendall(digest.hexdigest().encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512
    context: ssl.SSLContext | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        pass

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        if self.context is not None:
            request.close()


def main(kind: str, address: str, *files: str) -> None:
    class Made(Server):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    server = Made((address, 0), Banner if kind == "banner" else Http)
    if files:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(files[0])
        server.context.set_alpn_protocols(["http/1.1"])
        if len(files) > 1:
            server.context.load_verify_locations(files[1])
            server.context.verify_mode = ssl.CERT_REQUIRED
    status = Path(os.environ["STATUS_FILE"])
    temporary = status.with_suffix(".tmp")
    temporary.write_text(json.dumps({"port": server.server_address[1]}))
    temporary.replace(status)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
