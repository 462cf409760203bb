"""Whether the application is still there: sockets in the pod's network namespace that are not ours.

Used by worker and supervisor after SIGTERM. A container does not see the other containers' processes, but all of them
share one network namespace, and the kernel lists its sockets with their owners (/proc/net/tcp, proc(5)). An
application that listens, or has a connection open, is there; one that ended is not. Standard library only.
"""

from __future__ import annotations

Tables = tuple[str, ...]
TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
MESH_UID = 1337  # Istio's proxy, which itself waits for connections to end
_LIVE = frozenset(("01", "02", "08", "0A"))  # connected, connecting, half closed, listening; the rest may be orphans


def application_there(own_uid: int, own_ports: frozenset[int], tables: Tables = TABLES) -> bool:
    """Return whether an application's user has a TCP socket that listens or is connected; False where unreadable.

    Sockets on `own_ports` do not count: a connection that nobody has accepted yet belongs to user 0.
    """
    return any(_others(table, own_uid, own_ports) for table in tables)


def _others(table: str, own_uid: int, own_ports: frozenset[int]) -> bool:
    try:
        with open(table, encoding="ascii") as lines:
            next(lines, None)
            for line in lines:
                fields = line.split(None, 8)
                if len(fields) < 9 or fields[3] not in _LIVE or int(fields[7]) in (own_uid, MESH_UID):
                    continue
                if int(fields[1].rpartition(":")[2], 16) not in own_ports:
                    return True
    except (OSError, ValueError):
        return False
    return False


class Quiet:
    """Tells when the application is gone: once nothing of it was seen for `quiet_s`."""

    def __init__(
        self, own_uid: int, own_ports: frozenset[int], quiet_s: float, tables: tuple[str, ...] = TABLES
    ) -> None:
        self._own = (own_uid, own_ports, tables)
        self._quiet_s = quiet_s
        self._since: float | None = None

    def over(self, now: float) -> bool:
        """Look, and return whether it is gone; `now` in seconds, growing."""
        if application_there(*self._own):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._quiet_s
