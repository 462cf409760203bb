"""Events: what users read under `kubectl describe` and `kubectl get events`, a few words on one object.

An Event is a courtesy. It never delays who has something to say (`event` only notes it), never fails them (what cannot
be written is logged and counted), and never floods the cluster:

- The same about the same object is one Event with a `count`; later ones change that count and the last time.
- Each object has a bucket of 25 Events, one of which comes back each 300 s (client-go's numbers).
- At most `limit` notes wait, the newest are left out; as many Events are remembered for counting, the oldest are
  forgotten.

core/v1 Events, since every version of every tool shows them; API servers serve the same under events.k8s.io. An Event
lies in the namespace of its object, in `default` for those that lie in none. Servers forget Events after an hour: one
whose count cannot be changed because it is gone is made anew.

One thread writes (`start`), one `Recorder` a process. Anyone may call `event`, admission too.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

import structlog

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .client import Client
from .errors import ExistsError, NotFoundError
from .lease import wall
from .objects import Object, Ref, ref
from .stop import Stop

BURST, REFILL_S = 25, 300.0
LIMIT = 1000
WRITE_S = 10.0  # patience for one write
END_S = 5.0
TRIES = 3
_MESSAGE, _REASON, _NAME = 1024, 128, 200  # characters; a name of 253 must also hold a suffix
_log = structlog.get_logger("speedscale_kube")
Type = Literal["Normal", "Warning"]


class Fate(StrEnum):
    """What became of an Event; the label of its metric."""

    WRITTEN = "written"
    COUNTED = "counted"
    THROTTLED = "throttled"
    OVERFLOW = "overflow"
    FAILED = "failed"


class _Note(NamedTuple):
    about: Ref
    uid: str
    version: str
    type: Type
    reason: str
    message: str
    at: datetime

    @property
    def same(self) -> tuple[str, ...]:
        """What makes two of them one Event."""
        return (*self.about, self.uid, self.type, self.reason, self.message)


@dataclass(slots=True)
class _Known:
    name: str
    count: int


class Recorder:
    """Writes Events as `reporter` (the component, `speedscale-operator`; `instance` is the pod).

    `clock` is monotonic seconds, `stamp` the time of day. `observe(fate)` is the metrics hook. `limit` bounds both what
    waits and what is remembered.
    """

    def __init__(
        self,
        client: Client,
        reporter: str,
        *,
        instance: str = "",
        clock: Callable[[], float] = time.monotonic,
        stamp: Callable[[], datetime] = wall,
        observe: Callable[[Fate], None] = lambda fate: None,
        limit: int = LIMIT,
    ) -> None:
        self._client, self._reporter, self._instance = client.patient(WRITE_S), reporter, instance or reporter
        self._clock, self._stamp, self._observe, self._limit = clock, stamp, observe, limit
        self._changed = threading.Condition()
        self._writing = threading.Lock()  # one note at a time: whoever ends the process flushes, too
        self._notes: deque[_Note] = deque()
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._buckets: OrderedDict[tuple[Ref, str], tuple[float, float]] = OrderedDict()  # tokens, as of

    def event(self, about: Object | Ref, type: Type, reason: str, message: str, *, uid: str = "") -> bool:
        """Note an Event about an object; never waits, never raises for what the cluster does. False when left out.

        `about` is the object, or its Ref with `uid` (without a uid `kubectl describe` does not find it).
        `reason` is one CamelCase word, up to 128 characters, `message` a sentence, up to 1024; longer ones are cut.
        """
        version = ""
        if not isinstance(about, Ref):
            metadata = about.get("metadata") or {}
            uid, version = str(metadata.get("uid") or uid), str(metadata.get("resourceVersion") or "")
            about = ref(about)
        note = _Note(about, uid, version, type, reason[:_REASON], _cut(message), self._stamp())
        with self._changed:
            fate = self._refusal(note)
            if fate is None:
                self._notes.append(note)
                self._changed.notify()
        if fate is not None:
            self._observe(fate)
        return fate is None

    def start(self, stop: Stop) -> threading.Thread:
        """Write in a thread of its own until `stop` is set; what waits then is still tried once."""
        thread = threading.Thread(target=self.run, args=(stop,), name="events", daemon=True)
        thread.start()
        return thread

    def run(self, stop: Stop) -> None:
        """Write in this thread until `stop` is set."""
        with stop.waking(self._wake):
            while not stop.is_set():
                with self._changed:
                    self._changed.wait_for(lambda: self._notes or stop.is_set())
                self.flush(stop)
        self.flush(stop)

    def flush(self, stop: Stop | None = None) -> None:
        """Write all that waits, in this thread; with `stop`, a busy server is asked again (up to 3 times).

        Without, or once it is set, this ends after 5 seconds or a little more: what waits still is left out.
        """
        until = self._clock() + END_S
        while True:
            with self._writing:
                with self._changed:
                    if not self._notes:
                        return
                    note = self._notes.popleft()
                late = (stop is None or stop.is_set()) and self._clock() >= until
                fate = Fate.FAILED if late else self._deliver(note, stop)
            self._observe(fate)

    def _deliver(self, note: _Note, stop: Stop | None) -> Fate:
        for left in reversed(range(TRIES)):
            try:
                return self._write(note)
            except TransientError as busy:
                if not left or stop is None or stop.wait(busy.retry_after_s):
                    failed: Exception = busy
                    break
            except (PermanentError, PeerError, ConfigError) as refused:
                failed = refused
                break
        _log.warning("event_not_written", about=str(note.about), reason=note.reason, error=str(failed))
        return Fate.FAILED

    def _write(self, note: _Note) -> Fate:
        known = self._known.get(note.same)
        if known is not None:
            self._known.move_to_end(note.same)
            which = Ref("v1", "Event", _place(note.about), known.name)
            change = {"count": known.count + 1, "lastTimestamp": _stamp(note.at)}
            try:
                self._client.patch(which, change, self._reporter)
            except NotFoundError:
                del self._known[note.same]
            else:
                known.count += 1
                return Fate.COUNTED
        body = self._body(note)
        with contextlib.suppress(ExistsError):  # an earlier try was written, and only its answer lost
            self._client.create(body, self._reporter)
        self._known[note.same] = _Known(str(body["metadata"]["name"]), 1)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return Fate.WRITTEN

    def _body(self, note: _Note) -> Object:
        involved = {"apiVersion": note.about.api_version, "kind": note.about.kind, "name": note.about.name}
        optional = {"namespace": note.about.namespace, "uid": note.uid, "resourceVersion": note.version}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": self._name(note), "namespace": _place(note.about)},
            "involvedObject": involved | {key: value for key, value in optional.items() if value},
            "type": note.type,
            "reason": note.reason,
            "message": note.message,
            "count": 1,
            "firstTimestamp": _stamp(note.at),
            "lastTimestamp": _stamp(note.at),
            "source": {"component": self._reporter},
            "reportingComponent": self._reporter,
            "reportingInstance": self._instance,
        }

    def _name(self, note: _Note) -> str:
        """Return a name that no other Event has: the object's, and a hash of what, when and by whom."""
        words = "\0".join((*note.same, note.at.isoformat(), self._instance))
        return f"{note.about.name[:_NAME]}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"

    def _refusal(self, note: _Note) -> Fate | None:
        """Take a token of the object's bucket; say why when the Event is left out."""
        if len(self._notes) >= self._limit:
            return Fate.OVERFLOW
        now, key = self._clock(), (note.about, note.uid)
        tokens, then = self._buckets.pop(key, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - then) / REFILL_S)
        self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return None if tokens >= 1 else Fate.THROTTLED

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _place(about: Ref) -> str:
    return about.namespace or "default"


def _cut(message: str) -> str:
    return message if len(message) <= _MESSAGE else message[: _MESSAGE - 1] + "…"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
