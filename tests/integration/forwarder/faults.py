"""A relay on loopback between a forwarder and a server that does what networks do: cuts, stalls, lies, refuses."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections import Counter

_CHUNK = 65536
GARBAGE = b"HTTP/1.1 900 \x00\xff\xfe nothing that anybody understands\r\n\r\n" * 4


class Relay:
    """Passes bytes to `targets`, as `mode` says: `pass`, `cut`, `slow`, `garbage`, `down`.

    Several targets are taken in turn, a connection each, as a Service does; one that takes none is passed over.

    `cut` breaks a connection off after `limit` bytes from the client; `garbage` answers in the server's place;
    `down` takes connections and drops them; `slow` passes little at a time. `seen` counts connections by mode.
    """

    def __init__(self, *targets: int) -> None:
        self.targets = list(targets)
        self._turn = itertools.count()
        self.mode = "pass"
        self.limit = 2000
        self.seen: Counter[str] = Counter()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def become(self, mode: str) -> None:
        """Change what is done, and break off what is open."""
        self.mode = mode
        self.drop()

    def drop(self) -> None:
        """Break off every connection."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            mode = self.mode
            self.seen[mode] += 1
            thread = threading.Thread(target=self._serve, args=(connection, mode), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, near: socket.socket, mode: str) -> None:
        with near:
            if mode == "down":
                return
            if mode == "garbage":
                with contextlib.suppress(OSError):
                    near.recv(_CHUNK)
                    near.sendall(GARBAGE)
                return
            far = self._connected()
            if far is None:
                return
            with far:
                self._open |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near, "pass"), daemon=True)
                back.start()
                self._pump(near, far, mode)
                back.join(20)
                self._open -= {near, far}

    def _connected(self) -> socket.socket | None:
        for _ in range(len(self.targets)):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.targets[next(self._turn) % len(self.targets)]), 30)
        return None

    def _pump(self, source: socket.socket, sink: socket.socket, mode: str) -> None:
        passed = 0
        try:
            while data := source.recv(1024 if mode == "slow" else _CHUNK):
                if mode == "cut" and passed + len(data) > self.limit:
                    sink.sendall(data[: self.limit - passed])
                    break
                if mode == "slow":
                    time.sleep(0.002)
                sink.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR if mode == "cut" else socket.SHUT_WR if end is sink else socket.SHUT_RD)


class Tunnel(Relay):
    """An HTTP proxy that gives tunnels (CONNECT, RFC 9110 section 9.3.6) to `port`, whatever they are asked for.

    `asked` holds the request lines and what was shown in Proxy-Authorization.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[tuple[str, str]] = []
        super().__init__(port)

    def _serve(self, near: socket.socket, mode: str) -> None:
        head = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in head and (data := near.recv(1)):
                head += data
            first, _, rest = head.decode("latin-1").partition("\r\n")
            headers = dict(line.split(": ", 1) for line in rest.lower().split("\r\n") if ": " in line)
            self.asked.append((first, headers.get("proxy-authorization", "")))
            if first.startswith("CONNECT "):
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                super()._serve(near, mode)
                return
            near.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        near.close()
