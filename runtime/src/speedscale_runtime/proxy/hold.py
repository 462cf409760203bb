"""`speedscale-goproxy wait`: return when the sidecar takes connections, so that the application begins after it.

Run by the kubelet as the container's postStart hook where the sidecar is an ordinary container: containers are started
in their order, and the next one waits for the hook. (A native sidecar has its startup probe for that.) Always ends with
0 and within `MOST_S`: a hook that fails would have the container killed, and the pod is to start whatever becomes of
us. Standard library only, few modules: it runs beside the proxy in the same memory.
"""

from __future__ import annotations

import os
import socket
import time

MOST_S = 30.0
_STEP_S = 0.05


def wait(port: int, most_s: float = MOST_S) -> bool:
    """Return whether /readyz on this host's `port` answered 200 within `most_s` seconds."""
    deadline = time.monotonic() + most_s
    while True:
        if any(_ready(host, port) for host in ("127.0.0.1", "::1")):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_STEP_S)


def _ready(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(64)
    except OSError:
        return False


def main() -> int:
    """Wait as the environment says; 0 in any case."""
    port = os.environ.get("HEALTH_PORT", "")
    wait(int(port) if port.isdigit() else 4144)
    return 0
