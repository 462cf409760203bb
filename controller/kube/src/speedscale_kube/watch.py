"""A watch: what happened to a collection since a version, one event a line, until the server ends it.

`GET …?watch=true&resourceVersion=…` answers with an endless body of JSON lines, `{"type": "ADDED", "object": {…}}`
(API concepts, "Efficient detection of changes"). Types are ADDED, MODIFIED, DELETED; BOOKMARK, an object that bears
nothing but a version ("all is told up to here"); and ERROR, whose object is a Status: most often 410, the version is
too old.

The body comes in pieces of any size: lines are put together as bytes and decoded when whole, so a character that is
cut in two is none of our worry, and a line that the connection's end cut is dropped (its event comes again after
resuming).

Called by `reflector`; made by `Client.watch`. Reading blocks; `close` from any thread ends it at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from urllib3.exceptions import HTTPError

from .errors import Status, UnreachableError, error, not_kubernetes
from .held import Held
from .objects import Object

CHUNK_BYTES = 64 * 1024
EVENT_BYTES = 16 * 1024 * 1024  # etcd takes 1.5 MiB; JSON may be a few times that


class Change(StrEnum):
    """What an event says. ERROR never reaches the caller: it is raised."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Event(NamedTuple):
    """One event; a DELETED object is as it was last, with the version of its deletion."""

    type: Change
    object: Object

    @property
    def resource_version(self) -> str:
        """The version to resume from once this event is dealt with."""
        return str(self.object["metadata"].get("resourceVersion", ""))


class Watch(Held):
    """An open watch; iterate over it once. Ends quietly when the server ends it, or when `close` was called."""

    def __iter__(self) -> Iterator[Event]:
        """Yield events; GoneError for 410, what `errors` says for other refusals, UnreachableError when it breaks."""
        for line in self._lines():
            yield self._event(line)

    def _lines(self) -> Iterator[bytes]:
        pieces: list[bytes] = []
        held = 0
        for chunk in self._chunks():
            first, *more = chunk.split(b"\n")
            pieces.append(first)
            held += len(first)
            if held > EVENT_BYTES:
                raise not_kubernetes(self._where, f"an event of more than {EVENT_BYTES} bytes")
            for piece in more:
                line = b"".join(pieces)
                if line.strip():
                    yield line
                pieces, held = [piece], len(piece)

    def _chunks(self) -> Iterator[bytes]:
        raw = self._response.raw
        try:
            if raw.chunked:
                yield from raw.read_chunked(CHUNK_BYTES)
            else:  # a proxy that speaks HTTP/1.0 to us
                while chunk := raw.read1(CHUNK_BYTES):
                    yield chunk
        except (HTTPError, OSError, ValueError) as broken:  # ValueError: closed under the reader
            if not self._closed:
                raise UnreachableError(f"{self._where} broke off: {broken}", 0.0) from broken

    def _event(self, line: bytes) -> Event:
        try:
            event = json.loads(line)
            kind, thing = event["type"], event["object"]
            if kind == "ERROR":
                code = thing.get("code")
                raise error(Status.read(code if isinstance(code, int) else 500, thing), self._where)
            if not isinstance(thing["metadata"], dict):
                raise TypeError
            return Event(Change(kind), thing)
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise not_kubernetes(self._where, f"{len(line)} bytes that are no watch event") from broken
