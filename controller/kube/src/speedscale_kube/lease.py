"""Who of several replicas acts: one Lease, held by its name, renewed every 2 s, free 15 s after the last renewal.

How it is decided (coordination.k8s.io/v1; the times are client-go's):

    holder   whoever stands in `spec.holderIdentity`. Writing it is an update guarded by resourceVersion: of two who
             try, one succeeds.
    renewal  the holder writes `renewTime` every `retry_s` (2 s). Others compare no clocks: they look whether the record
             *changes*, and count `lease_s` (15 s) on their own monotonic clock from when they saw it change last.
    loss     a holder whose last renewal was *asked for* `renew_s` (10 s) ago stops leading, whatever it hears later.
             10 is less than 15: between its last write and another's first lie 5 s.
    release  on a clean end the holder clears its name, once it writes no more, and the next one need not wait.

The proof of leading is `check`, asked right before each write (`Client.fenced(leader.check)`). It looks at the clock,
not at what a thread believes: a process that was stopped for a minute finds out before it writes, though no thread of
it has run yet. The clock is one that goes on while the machine sleeps (CLOCK_BOOTTIME). What no check can reach is a
request on its way: sent, or about to be sent when the process was stopped. For those there are 5 s and idempotent
writes; where even that is too little, the object that is applied bears the resourceVersion that was read, and the
server refuses what the next leader's write has overtaken.

`Election` is the decision, without I/O or clock; `Leader` asks and writes. Called by the manager, which exits on loss.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .client import Client
from .errors import ExistsError, not_kubernetes
from .objects import Object, Ref
from .stop import Stop

API_VERSION, KIND = "coordination.k8s.io/v1", "Lease"
_log = structlog.get_logger("speedscale_kube")


class NotLeaderError(TransientError):
    """This process does not lead, or no longer: nothing is written."""


def boottime() -> float:
    """Return seconds that go on while the machine sleeps, where the kernel counts them; else monotonic ones."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def wall() -> datetime:
    """Return the time of day, for people who read the Lease; nothing is decided by it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds: a lease's life, the holder's own deadline to have renewed, the pause between tries."""

    lease_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_s < self.renew_s < self.lease_s:
            raise ValueError(f"{self}: it has to be 0 < retry_s < renew_s < lease_s, or two lead at once")


@dataclass(slots=True)
class Election:
    """What one candidate knows, and what follows from it. `now` is always the local monotonic clock."""

    identity: str
    times: Durations
    record: tuple[Any, ...] | None = None  # the last one seen
    seen_at: float = 0.0  # when it was seen to change
    renewed_at: float | None = None  # when our last successful renewal was asked for; None: we do not lead

    def see(self, spec: dict[str, Any], now: float) -> None:
        """Take note of the Lease's spec as it is now."""
        record = tuple(spec.get(key) for key in ("holderIdentity", "renewTime", "acquireTime", "leaseTransitions"))
        if record != self.record:
            self.record, self.seen_at = record, now
        if self.renewed_at is not None and spec.get("holderIdentity") != self.identity:
            self.renewed_at = None

    def free(self, spec: dict[str, Any], now: float) -> bool:
        """Say whether we may write our name: it is ours, nobody's, or its holder was silent for a whole lease."""
        holder = spec.get("holderIdentity")
        if not holder or holder == self.identity:
            return True
        length = spec.get("leaseDurationSeconds")
        length = float(length) if isinstance(length, int) and length > 0 else self.times.lease_s
        return now - self.seen_at >= length

    def claim(self, spec: dict[str, Any], stamp: str) -> dict[str, Any]:
        """Return the spec that makes, or keeps, us the holder; `stamp` is the time of day in RFC 3339."""
        ours = spec.get("holderIdentity") == self.identity
        transitions = spec.get("leaseTransitions")
        transitions = transitions if isinstance(transitions, int) else 0
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self.times.lease_s)),
            "acquireTime": spec.get("acquireTime") or stamp if ours else stamp,
            "renewTime": stamp,
            "leaseTransitions": transitions if ours or not spec else transitions + 1,
        }

    def leads(self, now: float) -> bool:
        """Say whether we lead at this moment."""
        renewed_at = self.renewed_at  # read once: another thread may clear it
        return renewed_at is not None and now - renewed_at < self.times.renew_s


class Leader:
    """One candidate for one Lease. `identity` is the pod's name and uid: no two processes may share it.

    `clock` is monotonic seconds, `stamp` the time of day, `jitter` gives 0 to 1.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float] = boottime,
        *,
        times: Durations = Durations(),
        stamp: Callable[[], datetime] = wall,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if not identity:
            raise ValueError("a candidate has an identity: the pod's name and uid")
        self.which = Ref(API_VERSION, KIND, namespace, name)
        self._client = client.patient(times.renew_s / 2)
        self._election = Election(identity, times)
        self._times, self._clock, self._stamp, self._jitter = times, clock, stamp, jitter
        self._lease: Object | None = None  # as read or written last
        self._lock = threading.Lock()
        self._leading = self._ended = False

    @property
    def leading(self) -> bool:
        """Whether this process leads at this moment."""
        return self._leading and self._election.leads(self._clock())

    @property
    def holder(self) -> str:
        """Who stood in the Lease when it was last seen; empty for nobody."""
        record = self._election.record
        return str(record[0] or "") if record else ""

    def check(self) -> None:
        """Raise NotLeaderError unless this process leads; to be called right before each write."""
        if not self.leading:
            raise NotLeaderError(f"the Lease {self.which} is not ours ({self.holder or 'nobody'} holds it)", 1.0)

    def run(self, started: Callable[[], None], lost: Callable[[], None], stop: Stop) -> bool:
        """Stand for election until `stop` is set (True: a clean end) or leadership was had and lost (False).

        `started()` is called once we lead, `lost()` once that ends, each at most once, in some thread. `started`
        returns soon, `lost` when nothing of ours writes any more. On loss `check` fails before `lost` is called; on a
        clean end it holds until the deadline, so that `lost` can finish what is in work, and the Lease is released
        afterwards. A candidate that lost does not stand again: its process ends.
        """
        while not self._try():
            if stop.wait(self._times.retry_s * (1.0 + self._jitter())):
                return True
        self._leading = True
        over = threading.Event()
        watchdog = threading.Thread(target=self._watchdog, args=(over, lost), name="lease-watchdog", daemon=True)
        watchdog.start()
        try:
            _log.info("leader_started", lease=str(self.which), identity=self._election.identity)
            started()
            while self._leading and not stop.wait(self._times.retry_s):
                if not self._try() and not self.leading:
                    break
        finally:
            ours = self._end(lost)
            over.set()
            watchdog.join()  # which may be in `lost`
            if ours:
                self._release()
        return ours and stop.is_set()

    def _watchdog(self, over: threading.Event, lost: Callable[[], None]) -> None:
        """See the deadline pass even while the renewing thread hangs in a request."""
        while True:
            renewed_at = self._election.renewed_at
            left = 0.0 if renewed_at is None else renewed_at + self._times.renew_s - self._clock()
            if left <= 0:
                self._leading = False
                self._end(lost)
                return
            if over.wait(left):
                return

    def _end(self, lost: Callable[[], None]) -> bool:
        """Have all writing end, once; True when the Lease is still ours afterwards, to be released."""
        with self._lock:
            if self._ended:
                return False
            self._ended = True
        ours = self.leading
        (_log.info if ours else _log.warning)("leader_ends", lease=str(self.which), in_time=ours)
        lost()
        ours = self.leading
        self._leading = False
        return ours

    def _try(self) -> bool:
        """Claim or renew once; True when we hold the Lease now. Raises no Exception that the API can cause."""
        now = self._clock()  # before asking: the server's lease begins later than we think, never earlier
        try:
            if self._lease is not None and self._election.leads(now):
                try:
                    return self._write(self._lease, now)
                except TransientError:
                    now = self._clock()  # somebody wrote, or we do not know whether we did: look
            lease = self._read()
            spec = _spec(lease)
            self._election.see(spec, self._clock())
            if lease is not None and not self._election.free(spec, self._clock()):
                return False
            return self._write(lease, now)
        except (TransientError, PermanentError, PeerError, ConfigError) as error:
            if not isinstance(error, ExistsError):
                _log.warning("lease_not_written", lease=str(self.which), error=str(error))
            self._lease = None
            return False

    def _write(self, lease: Object | None, now: float) -> bool:
        stamp = self._stamp().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = self._election.claim(_spec(lease), stamp)
        if lease is None:
            metadata = {"namespace": self.which.namespace, "name": self.which.name}
            made = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
            written = self._client.create(made, self._manager)
        else:
            written = self._client.update({**lease, "spec": {**_spec(lease), **spec}}, self._manager)
        self._lease = self._bare(written)
        self._election.see(_spec(written), now)
        self._election.renewed_at = now
        return self._election.leads(self._clock())

    def _release(self) -> None:
        """Clear our name, if it is still ours, so that the next one need not wait."""
        try:
            lease = self._read()
            spec = _spec(lease)
            if lease is None or spec.get("holderIdentity") != self._election.identity:
                return
            free = {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}
            self._client.update({**lease, "spec": free}, self._manager)
        except (TransientError, PermanentError, PeerError, ConfigError) as error:
            _log.warning("lease_not_released", lease=str(self.which), error=str(error))

    def _read(self) -> Object | None:
        found = self._client.find(self.which)
        self._lease = None if found is None else self._bare(found)
        return self._lease

    def _bare(self, lease: Object) -> Object:
        """Return it as it is written back: who set which field is the server's to say."""
        metadata = lease.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("resourceVersion"):
            raise not_kubernetes(self._client.access.server, f"{self.which} without a resourceVersion")
        return {**lease, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}

    @property
    def _manager(self) -> str:
        return f"{self.which.name}/lease"


def _spec(lease: Object | None) -> dict[str, Any]:
    spec = (lease or {}).get("spec")
    return spec if isinstance(spec, dict) else {}
