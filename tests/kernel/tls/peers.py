"""The other end of TLS connections under test: HTTPS that remembers every byte of plaintext, by port.

They run in the test's own process, outside the captured cgroup, so what they remember is independent of the capture.
"""

from __future__ import annotations

import hashlib
import random
import socket
import ssl
import threading
import time
from collections import defaultdict
from pathlib import Path

DEADLINE_S = 60


def body(length: int) -> bytes:
    """Return the same bytes of that length every time; no two parts of them are alike."""
    return random.Random(length).randbytes(length)


def digest(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()


class Talk:
    """The plaintext of one connection, as the remembering end saw it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.sent = bytearray()


class Server:
    """An HTTPS server: `GET /n` is answered by n bytes, `POST /n` by n bytes after its body was read."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._listener = context.wrap_socket(
            socket.create_server(("127.0.0.1", 0)), server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._listener.getsockname()[1]
        self.talks: dict[int, Talk] = defaultdict(Talk)
        self.errors: list[Exception] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, (_, port) = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, self.talks[port]), daemon=True).start()

    def _serve(self, connection: ssl.SSLSocket, talk: Talk) -> None:
        connection.settimeout(DEADLINE_S)
        try:
            while self._answer(connection, talk):
                pass
            connection.close()
        except (OSError, ValueError) as error:
            self.errors.append(error)

    def _answer(self, connection: ssl.SSLSocket, talk: Talk) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(65536)
            talk.received += more
            if not more:
                return False
            head += more
        head, _, rest = head.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        left = int(fields.get(b"content-length", b"0")) - len(rest)
        while left > 0:
            more = connection.recv(65536)
            talk.received += more
            left -= len(more)
        data = body(int(head.split(b" ")[1].strip(b"/")))
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        talk.sent += answer
        connection.sendall(answer)
        return fields.get(b"connection") != b"close"


def ask(port: int, sizes: list[int], connection: ssl.SSLSocket | None = None, method: str = "POST") -> tuple[int, Talk]:
    """Ask an HTTPS server for answers of these sizes on one connection; return the own port and what was said."""
    talk = Talk()
    with connection or connect(port) as link:
        mine: int = link.getsockname()[1]
        for size in sizes:
            data = body(size) if method == "POST" else b""
            head = f"{method} /{size} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
            request = head.encode() + data
            talk.sent += request
            link.sendall(request)
            talk.received += answer(link)
    return mine, talk


def connect(port: int) -> ssl.SSLSocket:
    """Return a TLS connection that checks no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), DEADLINE_S))


def free_port() -> int:
    """Return a port that was free a moment ago, for servers that cannot choose one themselves."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def wait_connect(port: int) -> ssl.SSLSocket:
    """Connect as soon as somebody listens."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return connect(port)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.02)


def answer(link: ssl.SSLSocket) -> bytes:
    """Read one answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = link.recv(65536)
        assert more, data
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields[b"content-length"]) - len(rest)
    while left > 0:
        more = link.recv(65536)
        assert more
        data += more
        left -= len(more)
    return data
