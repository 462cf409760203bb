"""Connected inspectors, and the commands that go to them. What is said is in `speedscale_schemas.inspector`.

One link a cluster; a second one of the same name takes the first one's place. A command's answers are handed out in
order while its reader takes them; at most WINDOW items are on their way, so a slow reader slows the inspector and not
us. Whoever leaves early has the command cancelled. Only the event loop comes in here.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
import structlog

from speedscale_schemas import inspector
from speedscale_schemas.inspector import Reason
from speedscale_schemas.validation import check

from .database import Database
from .metrics import Metrics
from .problems import not_found

log = structlog.get_logger()

WINDOW = 64
COMMANDS_MAX = 200
"""Commands that one cluster carries out at a time; beyond it callers are told `busy`."""
HELLO_S = 10.0
_ACK_EVERY = 16
_GRACE_S = 10.0
_KNOWN_MAX = 1000


class Socket(Protocol):
    """What a link needs of a WebSocket."""

    async def send_str(self, data: str) -> None: ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> Any: ...


class Link:
    """One connected inspector."""

    def __init__(self, cluster: str, socket: Socket, hello: Mapping[str, Any]) -> None:
        self.cluster, self.hello = cluster, hello
        self.since = _now()
        self._socket = socket
        self._readers: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._sending = asyncio.Lock()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message; whatever goes wrong shows as the connection's end."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            async with self._sending:
                await self._socket.send_str(orjson.dumps(message).decode("utf-8"))

    async def close(self, code: int, why: str) -> None:
        """Close the connection."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.close(code=code, message=why.encode("utf-8"))

    def begin(self, identity: str) -> asyncio.Queue[dict[str, Any]] | None:
        """Return the queue of a new command's answers, None where there are too many."""
        if len(self._readers) >= COMMANDS_MAX:
            return None
        queue = self._readers[identity] = asyncio.Queue(WINDOW * 2 + 1)
        return queue

    def end(self, identity: str) -> None:
        """Forget a command; what still comes of it is passed over."""
        self._readers.pop(identity, None)

    def received(self, message: Mapping[str, Any]) -> None:
        """Give an answer to its reader."""
        queue = self._readers.get(str(message.get("id")))
        if queue is None:
            return
        try:
            queue.put_nowait(dict(message))
        except asyncio.QueueFull:  # it keeps no window
            self.end(str(message["id"]))
            _last(queue, _error(str(message["id"]), Reason.TOO_LARGE, "the inspector sent more than it was allowed"))

    def lost(self) -> None:
        """Tell every reader that there will be no more."""
        for identity, queue in self._readers.items():
            _last(queue, _error(identity, Reason.DISCONNECTED, "the inspector's connection ended"))
        self._readers.clear()


class Clusters:
    """All links, and what is known of clusters that are not connected."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database, self._metrics = database, metrics
        self._links: dict[str, Link] = {}
        self._gone: dict[str, dict[str, Any]] = {}  # until it is written down

    async def listed(self) -> list[dict[str, Any]]:
        """Return every cluster that is or was connected."""
        rows = await self._database.run(lambda c: c.execute("SELECT name, document FROM clusters").fetchall())
        known = {str(name): orjson.loads(document) for name, document in rows}
        known |= self._gone
        known |= {name: _shown(link) for name, link in self._links.items()}
        return [known[name] for name in sorted(known)]

    async def get(self, name: str) -> dict[str, Any]:
        """Return one cluster; Refused `not_found`."""
        for cluster in await self.listed():
            if cluster["name"] == name:
                return cluster
        raise not_found("cluster", name)

    async def join(self, cluster: str, socket: Socket, hello: object) -> Link | str:
        """Take an inspector's first message; return its link, or why it is refused."""
        problems = check(inspector.ANSWER, hello, source="hello")
        if problems or not isinstance(hello, dict) or hello.get("kind") != "hello":
            return str(problems[0]) if problems else "expected a hello"
        if hello["cluster"] != cluster:
            return f"the hello is of cluster {hello['cluster']!r}, the path says {cluster!r}"
        link = Link(cluster, socket, hello)
        before = self._links.get(cluster)
        self._links[cluster] = link
        self._metrics.clusters(len(self._links))
        if before is not None:
            before.lost()
            await before.close(4001, "replaced by a newer connection")
        log.info("cluster_connected", cluster=cluster, version=hello["version"], replaced=before is not None)
        return link

    async def leave(self, link: Link) -> None:
        """Take note that a link ended."""
        link.lost()
        if self._links.get(link.cluster) is not link:
            return
        shown = {**_shown(link), "connected": False, "since": _now()}
        del self._links[link.cluster]
        self._gone[link.cluster] = shown
        self._metrics.clusters(len(self._links))
        log.info("cluster_disconnected", cluster=link.cluster)

        def work(connection: Any) -> None:
            row = (link.cluster, orjson.dumps(shown).decode())
            connection.execute("INSERT OR REPLACE INTO clusters VALUES (?, ?)", row)
            connection.execute(
                "DELETE FROM clusters WHERE name NOT IN (SELECT name FROM clusters ORDER BY"
                " json_extract(document, '$.since') DESC LIMIT ?)",
                (_KNOWN_MAX,),
            )

        # whoever waits here may be cancelled, since the connection is gone; what is to be written is not
        await asyncio.shield(self._written(link.cluster, work))

    async def _written(self, cluster: str, work: Callable[[Any], None]) -> None:
        await self._database.run(work)
        self._gone.pop(cluster, None)

    async def run(
        self,
        cluster: str,
        command: inspector.Command,
        arguments: Mapping[str, Any],
        actor: Mapping[str, Any],
        wait_s: float,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield a command's answers in order, last its `end` or `error`; closing it early cancels the command."""
        identity = f"c-{uuid.uuid4().hex}"
        link = self._links.get(cluster)
        if link is None:
            yield _error(identity, Reason.NOT_CONNECTED, f"no inspector of cluster {cluster!r} is connected")
            return
        queue = link.begin(identity)
        if queue is None:
            yield _error(identity, Reason.BUSY, f"{COMMANDS_MAX} commands are under way in this cluster")
            return
        cancel: str | None = "canceled"
        try:
            await link.send(
                {
                    "kind": "run",
                    "id": identity,
                    "command": command.name,
                    "arguments": dict(arguments),
                    "actor": dict(actor),
                    "timeoutS": wait_s,
                    "window": WINDOW,
                }
            )
            async with asyncio.timeout(wait_s + _GRACE_S):
                while True:
                    message = await queue.get()
                    if message["kind"] in ("end", "error"):
                        cancel = None  # before the reader has it: it may leave right then
                        yield message
                        return
                    yield message
                    if message["sequence"] % _ACK_EVERY == _ACK_EVERY - 1:
                        await link.send({"kind": "ack", "id": identity, "sequence": message["sequence"]})
        except TimeoutError:
            cancel = "timeout"
            yield _error(identity, Reason.TIMEOUT, f"no end within {wait_s:g} s")
        finally:
            link.end(identity)
            if cancel is not None:
                await link.send({"kind": "cancel", "id": identity, "reason": cancel})

    async def close(self) -> None:
        """Close all links: inspectors come again when we are back."""
        for link in list(self._links.values()):
            await link.close(1001, "the backend ends")


def message_of(data: str) -> dict[str, Any] | None:
    """Return an inspector's answer to a command; None for what is none."""
    try:
        message = orjson.loads(data)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("kind") not in ("item", "end", "error"):
        return None
    sequence = message.get("sequence")
    whole = isinstance(message.get("id"), str) and isinstance(sequence, int) and sequence >= 0
    return message if whole else None


def _last(queue: asyncio.Queue[dict[str, Any]], message: dict[str, Any]) -> None:
    """Put a last message, in the place of the newest where there is no room."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(message)


def _error(identity: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"kind": "error", "id": identity, "sequence": 0, "reason": reason.value, "message": message}


def _shown(link: Link) -> dict[str, Any]:
    hello = link.hello
    return {
        "name": link.cluster,
        "connected": True,
        "since": link.since,
        "version": hello["version"],
        "namespace": hello.get("namespace", ""),
        "namespaces": hello.get("namespaces", []),
        "commands": hello["commands"],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
