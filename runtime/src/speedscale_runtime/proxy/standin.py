"""Health answers while there is no worker, so that nobody restarts a container whose traffic flows.

Called by `supervisor` between two attempts to start a worker. The kubelet's probes get 200, because connections are
passed on; `/stats` says what happened; `/metrics` is not available. Standard library only.
"""

from __future__ import annotations

import json
import socket
from selectors import EVENT_READ, BaseSelector

from speedscale_runtime.recording.ledger import Ledger

_WAITING_MAX = 64
_OK = b"ok: passing connections on unrecorded, the worker is being restarted\n"


class StandIn:
    """Listeners on the worker's health and metrics ports."""

    def __init__(self, selector: BaseSelector, ledger: Ledger, host: str, ports: set[int]) -> None:
        """Listen where it is possible; a port that is still taken is left out."""
        self._selector = selector
        self._ledger = ledger
        self._sockets: set[socket.socket] = set()
        self._listeners: list[socket.socket] = []
        for port in ports:
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                sock = socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")
            except (OSError, ValueError):  # ValueError: no IPv6 on this machine
                continue
            sock.setblocking(False)
            self._listeners.append(sock)
            selector.register(sock, EVENT_READ, lambda _, s=sock: self._accept(s))

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        if len(self._sockets) >= _WAITING_MAX:
            client.close()
            return
        client.setblocking(False)
        self._sockets.add(client)
        self._selector.register(client, EVENT_READ, lambda _: self._answer(client))

    def _answer(self, client: socket.socket) -> None:
        try:
            path = client.recv(4096).split(b" ", 2)[1:2]
            if path == [b"/metrics"]:
                status, body = b"503 Service Unavailable", b"the worker is being restarted\n"
            else:
                status = b"200 OK"
                body = json.dumps(self._ledger.snapshot()).encode() if path == [b"/stats"] else _OK
            client.send(
                b"HTTP/1.0 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
            )
        except OSError:
            pass
        self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._sockets.discard(client)
        client.close()

    def close(self) -> None:
        """Free the ports for the worker."""
        for client in list(self._sockets):
            self._drop(client)
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._listeners.clear()
