"""One collection of the cluster, mirrored into a store: list once, then hear of each change, for ever.

    list     page by page, all pages of one version; projections only; then the store is made equal, at once
    watch    from that version on; each event moves the version forward, bookmarks too
    end      the server ends a watch after 240 to 300 s (each its own time, so that not all come back together):
             watch again from the version we are at; nothing was missed
    410      the version is forgotten (etcd keeps some minutes): list anew; what was deleted meanwhile is found
             because the list no longer has it

A failure waits: 0.8 s, doubled up to 30 s, up to half of it taken off by chance, and starts anew once the version
moved. Without that, one request never follows another at once more than once: there is no hot loop, whatever the server
does. What cannot work for now is a state, not a crash:

- `forbidden` (403): the right is missing; asked again each minute. The store keeps what it knew: silence is no
  deletion.
- `absent` (404): the kind is not installed (Argo Rollouts, or our own definition not yet there); looked for each 30 s.
  That is a full answer, the collection is empty; one that had objects is emptied when a second look agrees.

One thread each, started by the manager or by `Reflectors` for several namespaces. Everything that is decided from what
is mirrored lives elsewhere.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Generic, TypeVar

import structlog

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .client import Client
from .errors import ForbiddenError, GoneError, NotFoundError, ThrottledError, UnreachableError
from .objects import Object
from .stop import Stop
from .store import Key, Store
from .watch import Change, Event

P = TypeVar("P")
WATCH_S = (240, 300)
ANSWER_S = 60.0  # an API server gives up on a list after so long itself
FORBIDDEN_S, ABSENT_S = 60.0, 30.0
FIRST_S, LAST_S = 0.8, 30.0
_STUCK = 3  # so many watches in a row that broke without progress: the version may be at fault, list anew
_log = structlog.get_logger("speedscale_kube")


class State(StrEnum):
    """What a reflector is doing; `reason` says more."""

    STARTING = "starting"
    WATCHING = "watching"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    FAILING = "failing"
    STOPPED = "stopped"


class Sign(StrEnum):
    """What happened; the label of the metrics. All but the failures are signs of life."""

    LISTED = "listed"
    WATCH_OPENED = "watch_opened"
    WATCH_ENDED = "watch_ended"
    EVENT = "event"
    BOOKMARK = "bookmark"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    PROJECTION_FAILED = "projection_failed"


_NO_LIFE = frozenset({Sign.UNREACHABLE, Sign.FAILED, Sign.PROJECTION_FAILED})
Observe = Callable[[str, Sign], None]


class Reflector(Generic[P]):
    """Mirrors one kind, in one namespace or (empty) in all, into `store`.

    `project(object)` returns what to keep, or None to leave the object out; it sees each object once and keeps no part
    of it. `labels` and `fields` are selectors. `clock` is monotonic seconds, `jitter` gives 0 to 1.
    `observe(kind, sign)` is the metrics hook.
    """

    def __init__(
        self,
        client: Client,
        api_version: str,
        kind: str,
        *,
        project: Callable[[Object], P | None],
        store: Store[P],
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        observe: Observe = lambda kind, sign: None,
    ) -> None:
        self.api_version, self.kind, self.namespace, self.store = api_version, kind, namespace, store
        self._client, self._project, self._labels, self._fields = client.patient(ANSWER_S), project, labels, fields
        self._clock, self._jitter, self._observe = clock, jitter, observe
        self._version = ""  # where to watch from; empty: list first
        self._failures = 0  # in a row, without progress
        self._absences = 0
        self._alive_at = clock()
        self._state, self._reason = State.STARTING, ""
        self._complete = False
        self._settled = threading.Event()
        self._stop = Stop()

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is forbidden, absent or failing, in the server's words; empty while all is well."""
        return self._reason

    @property
    def synced(self) -> bool:
        """Whether the store has held the whole collection at least once (a kind that is absent is a whole one)."""
        return self._complete

    @property
    def settled(self) -> bool:
        """Whether it is known where we stand: synced, or forbidden. Who waits for this starts without a right, too."""
        return self._settled.is_set()

    def wait_settled(self, timeout_s: float | None = None) -> bool:
        """Wait until it is settled; False when `timeout_s` ended first."""
        return self._settled.wait(timeout_s)

    def age_s(self) -> float:
        """Return the seconds since the server's last sign of life; bookmarks give a quiet watch one each minute."""
        return max(0.0, self._clock() - self._alive_at)

    def run(self, stop: Stop) -> None:
        """Mirror until `stop` is set, in this thread."""
        self._stop = stop
        try:
            while not stop.is_set():
                stop.wait(self._turn())
        finally:
            self._state = State.STOPPED

    def start(self, stop: Stop) -> threading.Thread:
        """Run in a thread of its own."""
        name = f"reflect-{self.kind}{'-' + self.namespace if self.namespace else ''}"
        thread = threading.Thread(target=self.run, args=(stop,), name=name, daemon=True)
        thread.start()
        return thread

    def _turn(self) -> float:
        """List when that is due, watch once; return how long to wait before the next turn. Raises no Exception."""
        try:
            if not self._version:
                self._list()
            progress = self._watch()
        except Exception as error:
            return self._settle(error)
        self._state, self._reason = State.WATCHING, ""
        # one that ended by itself, but told nothing and took no time, would be asked for again and again
        return 0.0 if progress else self._back_off()

    def _list(self) -> None:
        found: dict[Key, P] = {}
        version = ""
        pages = self._client.pages(
            self.api_version, self.kind, self.namespace, labels=self._labels, fields=self._fields
        )
        for page in pages:
            self._alive_at = self._clock()
            version = page.resource_version
            for item in page.items:
                key, kept = self._projection(item)
                if kept is not None:
                    found[key] = kept
            if self._stop.is_set():
                return
        changes = self.store.replace(found, self.namespace)
        self._version, self._absences = version, 0
        _log.debug("reflector_listed", kind=self.kind, namespace=self.namespace, objects=len(found), changes=changes)
        self._state, self._reason = State.WATCHING, ""
        self._complete = True
        self._sign(Sign.LISTED)
        self._settled.set()

    def _watch(self) -> bool:
        """Follow one watch to its end; True when it moved the version, or lasted."""
        if not self._version:  # stopped in mid-list
            return True
        began = self._clock()
        low, high = WATCH_S
        watch = self._client.watch(
            self.api_version,
            self.kind,
            self.namespace,
            resource_version=self._version,
            timeout_s=round(low + (high - low) * self._jitter()),
            labels=self._labels,
            fields=self._fields,
        )
        before = self._version
        with watch, self._stop.waking(watch.close):
            self._sign(Sign.WATCH_OPENED)
            self._state, self._reason = State.WATCHING, ""
            for event in watch:
                self._take(event)
                if self._version != before:
                    self._failures = 0
                if self._stop.is_set():
                    break
        self._sign(Sign.WATCH_ENDED)
        if self._clock() - began >= LAST_S:
            self._failures = 0
            return True
        return self._version != before

    def _take(self, event: Event) -> None:
        if event.type is Change.BOOKMARK:
            self._sign(Sign.BOOKMARK)
        else:
            deleted = event.type is Change.DELETED
            key, kept = (_key(event.object), None) if deleted else self._projection(event.object)
            self.store.put(key, kept)
            self._sign(Sign.EVENT)
        self._version = event.resource_version or self._version

    def _projection(self, item: Object) -> tuple[Key, P | None]:
        key = _key(item)
        try:
            return key, self._project(item)
        except Exception:  # a bug, but one odd object must not hide all others
            self._sign(Sign.PROJECTION_FAILED)
            _log.exception("projection_failed", kind=self.kind, namespace=key.namespace, name=key.name)
            return key, None

    def _settle(self, error: Exception) -> float:
        """Turn a failure into a state and a wait."""
        if self._stop.is_set():
            return 0.0
        if isinstance(error, GoneError):
            self._version = ""
            self._sign(Sign.GONE)
            wait = self._back_off()
            return wait if self._failures > 1 else 0.0  # once at once: a list is what helps
        if isinstance(error, ForbiddenError):
            return self._rest(State.FORBIDDEN, Sign.FORBIDDEN, error, FORBIDDEN_S)
        if isinstance(error, NotFoundError):
            return self._absent(error)
        return self._failing(error)

    def _absent(self, error: Exception) -> float:
        self._version = ""
        self._client.forget_kinds()
        self._absences += 1
        if self._absences > 1 or not len(self.store):
            self.store.replace({}, self.namespace)
            self._complete = True
        return self._rest(State.ABSENT, Sign.ABSENT, error, ABSENT_S)

    def _rest(self, state: State, sign: Sign, error: Exception, seconds: float) -> float:
        if self._state is not state:
            _log.warning("reflector_rests", kind=self.kind, namespace=self.namespace, state=state.value, why=str(error))
        self._state, self._reason = state, str(error)
        self._version = ""  # what happens meanwhile is not told: list anew
        self._sign(sign)
        self._settled.set()
        return seconds * (0.75 + 0.5 * self._jitter())

    def _failing(self, error: Exception) -> float:
        expected = isinstance(error, TransientError | PermanentError | PeerError | ConfigError)
        if isinstance(error, ThrottledError):
            sign = Sign.THROTTLED
        else:
            sign = Sign.UNREACHABLE if isinstance(error, UnreachableError) else Sign.FAILED
        self._sign(sign)
        broke_off = isinstance(error, UnreachableError) and self._state is State.WATCHING and not self._failures
        wait = self._back_off()
        if self._failures > _STUCK:
            self._version = ""
        if broke_off:  # a watch that was cut is everyday: no state, and the first wait is short
            return wait
        if isinstance(error, TransientError):
            wait = max(wait, error.retry_after_s)
        self._state, self._reason = State.FAILING, str(error)
        _log.warning(
            "reflector_failed",
            kind=self.kind,
            namespace=self.namespace,
            again_in_s=round(wait, 1),
            error=str(error),
            exc_info=None if expected else error,
        )
        return wait

    def _back_off(self) -> float:
        wait = min(FIRST_S * float(2 ** min(self._failures, 10)), LAST_S)
        self._failures += 1
        return wait * (0.5 + 0.5 * self._jitter())

    def _sign(self, sign: Sign) -> None:
        if sign not in _NO_LIFE:
            self._alive_at = self._clock()
        self._observe(self.kind, sign)


def _key(item: Object) -> Key:
    metadata = item["metadata"]
    return Key(str(metadata.get("namespace", "")), str(metadata["name"]))


class Reflectors(Generic[P]):
    """One kind in several namespaces, each by its own reflector, all in one store: what `namespaceSelector` asks for.

    `make(namespace)` returns the reflector; without namespaces one reflector mirrors all of the cluster.
    """

    def __init__(self, namespaces: Iterable[str], make: Callable[[str], Reflector[P]]) -> None:
        self.each = tuple(make(namespace) for namespace in sorted(set(namespaces)) or [""])
        self._threads: list[threading.Thread] = []

    @property
    def synced(self) -> bool:
        """Whether each has held its whole collection."""
        return all(one.synced for one in self.each)

    @property
    def settled(self) -> bool:
        """Whether each is synced or forbidden."""
        return all(one.settled for one in self.each)

    def age_s(self) -> float:
        """Return the age of the oldest last sign of life."""
        return max(one.age_s() for one in self.each)

    def problems(self) -> tuple[tuple[str, State, str], ...]:
        """Return namespace, state and reason of each that does not mirror."""
        healthy = (State.STARTING, State.WATCHING, State.STOPPED)
        return tuple((one.namespace, one.state, one.reason) for one in self.each if one.state not in healthy)

    def start(self, stop: Stop) -> None:
        """Start a thread for each."""
        self._threads = [one.start(stop) for one in self.each]

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the threads to end, each at most `timeout_s`; False when one still runs."""
        for thread in self._threads:
            thread.join(timeout_s)
        return not any(thread.is_alive() for thread in self._threads)
