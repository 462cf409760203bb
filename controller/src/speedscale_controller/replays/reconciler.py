"""The reconciler of TrafficReplays: look, decide, do, until there is nothing to do but wait.

One worker: replays are few, and of two that want one workload only one must begin. The TrafficReplay itself and all
others are read from the API server, not from a watch: what was written a moment ago counts. Watches only wake: those of
TrafficReplays, of what replays made, and of the workloads under test.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from speedscale_controller.reconciling import Context, Watched
from speedscale_controller.replay import Limits, Observed, Phase, Replay, decide, names
from speedscale_controller.replay.status import Result as Verdict
from speedscale_controller.replay.status import Status, Type, elapsed_s
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Key, Object, Ref, Result
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas.errors import ConfigError, PermanentError, TransientError

from . import orphans
from .acting import Hands, Turn
from .annotated import WORKLOADS, Annotated
from .asking import Collectors
from .backends import Backends
from .seeing import Eyes, Remarks

API_VERSION, KIND = "speedscale.com/v1", "TrafficReplay"
TURNS: Final = 50
"""Most looks in a row before others get their turn."""
REMEMBERED: Final = 1000
LEAVE_S: Final = 20.0
"""Longest that a deletion waits for the report."""
LAST_S: Final = 60.0
"""Longest wait after a refusal."""
MEASURE_S: Final = 15.0
_log = structlog.get_logger("speedscale_controller")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of a TrafficReplay: enough to notice a change, and to wake whoever waits for it."""

    version: str
    phase: str
    targets: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What is kept of an object of a replay: whose it is, and what tells that it changed."""

    env_id: str
    version: str


def seen(obj: Object) -> Seen:
    """Return what is kept of a TrafficReplay."""
    replay = Replay.read(obj)
    running = replay.status.get(Type.RUNNING)
    return Seen(replay.resource_version, running.reason if running else "", replay.targets)


def made(obj: Object) -> Made:
    """Return what is kept of a replay's object."""
    labels = obj["metadata"].get("labels") or {}
    return Made(str(labels.get(names.ID, "")), str(obj["metadata"].get("resourceVersion", "")))


def _uid(obj: Made) -> Sequence[str]:
    return (obj.env_id,)


REPLAYS: Watched[Seen] = Watched("replays", API_VERSION, KIND, seen)
OBJECTS: tuple[Watched[Made], ...] = tuple(
    Watched(f"replay_{kind.lower()}s", version, kind, made, labels=names.ID)
    for version, kind in (("apps/v1", "Deployment"), ("batch/v1", "Job"), ("v1", "Pod"))
)


@dataclass(slots=True)
class _Notes:
    """What is remembered of a replay between looks; losing it costs a look."""

    trouble: str = ""
    given_up: dict[Ref, str] = field(default_factory=dict)


class Replays:
    """The reconciler `replays`."""

    name = "replays"

    def __init__(self, *, poll_s: float = 2.0, collectors: Callable[[Client], Collectors] = Collectors) -> None:
        self._poll_s, self._collectors = poll_s, collectors
        self._notes: OrderedDict[str, _Notes] = OrderedDict()

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return what wakes us."""
        return (REPLAYS, *OBJECTS, *WORKLOADS)

    def start(self, context: Context) -> None:
        """Begin."""
        self.begin(context)
        queue = context.work("replays", self.reconcile, on_permanent=self._on_permanent)
        self._by_uid: dict[str, Key] = {}
        store = context.store(REPLAYS)

        def on_replay(key: Key, old: Seen | None, new: Seen | None) -> None:
            queue.add(key)
            targets = {*(old.targets if old else ()), *(new.targets if new else ())}
            if old is None or new is None or old.phase != new.phase:
                for other, kept in store.items():
                    if other != key and targets & set(kept.targets):
                        queue.add(other)

        def on_made(key: Key, old: Made | None, new: Made | None) -> None:
            known = self._by_uid.get((new or old or Made("", "")).env_id)
            if known is not None:
                queue.add(known)

        def on_workload(ref: Ref) -> None:
            for other, kept in store.items():
                if ref in kept.targets:
                    queue.add(other)

        store.add_handler(on_replay)
        for watched in OBJECTS:
            context.store(watched).add_handler(on_made)
        Annotated(context).start(on_workload)

        def measure() -> None:
            phases = Counter(kept.phase or Phase.CREATED.value for kept in store.values())
            for phase in Phase:
                context.metrics.replays.labels(phase.value).set(phases[phase.value])

        context.every(MEASURE_S, "replays_measured", measure)
        context.every(orphans.EVERY_S, "replay_orphans", self._orphans.run)

    def begin(self, context: Context) -> None:
        """Take what a look needs, without watches; a test may then call `reconcile` itself."""
        self._context = context
        self._by_uid = {}
        client, known = context.client, Backends(context.client)
        self._eyes = Eyes(client, lambda: context.settings, context.bundle, known, self._collectors(client))
        self._hands = Hands(client, lambda: context.settings, self._eyes, known, lambda: context.recorder)
        self._orphans = orphans.Orphans(lambda: context.client, lambda: context.settings, self._hands)

    def reconcile(self, key: Key) -> Result:
        """Look at one TrafficReplay and do what has to be done now."""
        ref = Ref(API_VERSION, KIND, *key)
        for _ in range(TURNS):
            obj = self._client.find(ref)
            if obj is None:
                self._forget(key)
                return Result()
            after_s = self._turn(key, obj)
            if after_s != 0.0:
                return Result(after_s)
        return Result(self._poll_s)

    @property
    def _client(self) -> Client:
        return self._context.client

    def _turn(self, key: Key, obj: Object) -> float | None:
        """Look, decide, do; return when to look again, 0 for at once."""
        replay = Replay.read(obj)
        self._by_uid[replay.uid] = key
        notes = self._notes.setdefault(replay.uid, _Notes())
        self._notes.move_to_end(replay.uid)
        while len(self._notes) > REMEMBERED:
            self._notes.popitem(last=False)
        now = self._context.now()
        observed = self._eyes.look(replay, self._others(), now, Remarks(notes.trouble, notes.given_up))
        decision = decide(replay, observed, now, self._limits())
        turn = Turn(replay, obj, observed, now)
        try:
            for action in decision.actions:
                self._hands.do(turn, action)
            trouble = ""
        except PermanentError as error:
            trouble = str(error)
            _log.warning("replay_refused", replay=str(replay), phase=decision.phase.value, error=trouble)
        notes.given_up |= turn.given_up
        changed, notes.trouble = trouble != notes.trouble, trouble
        if trouble:
            self._failed(turn, replay, trouble, told=not changed)
            return max(self._poll_s, min(LAST_S, self._poll_s * 2.0 ** min(replay.status.failures, 10)))
        self._hands.tell(turn, replace(decision.status, failures=0))
        self._count(turn, replay, decision.status, decision.phase)
        return decision.after_s if not turn.gone else None

    def _failed(self, turn: Turn, replay: Replay, trouble: str, *, told: bool) -> None:
        """Tell that the API server refuses; what was decided stands only when it was done."""
        if not told:
            self._context.recorder.event(turn.obj, "Warning", "Refused", trouble)
        if replay.status.concluded or turn.gone:
            return  # the verdict stays what is read last
        running = replay.status.get(Type.RUNNING)
        phase = running.reason if running else Phase.CREATED.value
        runs = running is not None and running.status == "True"
        status = turn.replay.status.told(Type.RUNNING, runs, phase, trouble, turn.now)
        self._hands.tell(turn, replace(status, failures=status.failures + 1))

    def _others(self) -> Iterable[Replay]:
        for space in self._context.settings.namespaces or ("",):
            for obj in self._client.list(API_VERSION, KIND, space):
                yield Replay.read(obj)

    def _limits(self) -> Limits:
        settings = self._context.settings
        analyse_s = settings.analyse_timeout_s
        return Limits(
            prepare_s=settings.test_prep_timeout_s,
            poll_s=self._poll_s,
            analyse_s=analyse_s,
            leave_s=min(LEAVE_S, analyse_s),
        )

    def _count(self, turn: Turn, replay: Replay, status: Status, phase: Phase) -> None:
        """Log and count how far a replay is; each state that it reaches is an Event, its end has one of its own."""
        metrics = self._context.metrics
        before, after = replay.status.get(Type.RUNNING), status.get(Type.RUNNING)
        if (
            after is not None
            and not (status.concluded or turn.gone)
            and (before is None or before.reason != after.reason)
        ):
            self._context.recorder.event(turn.obj, "Normal", after.reason, after.message)
        if before is not None and after is not None and before.reason != after.reason:
            _log.info("replay_phase", replay=str(replay), phase=after.reason, before=before.reason)
        ready = status.get(Type.READY)
        if status.concluded and not replay.status.concluded and ready is not None:
            result = "succeeded" if ready.reason == Verdict.SUCCEEDED else "failed"
            metrics.replays_ended.labels(result, ready.reason).inc()
            metrics.replay_seconds.labels(phase.value).observe(elapsed_s(status.started, self._context.now()))
            _log.info("replay_ended", replay=str(replay), result=ready.reason, report=status.report_id)

    def _forget(self, key: Key) -> None:
        for uid in [uid for uid, known in self._by_uid.items() if known == key]:
            del self._by_uid[uid]
            self._notes.pop(uid, None)

    def _on_permanent(self, key: Key, error: PermanentError) -> None:
        """Reading was refused: tell it, and look again later; a right may come back."""
        ref = Ref(API_VERSION, KIND, *key)
        _log.warning("replay_not_seen", replay=str(key), error=str(error))
        self._context.queue("replays").add_after(key, 30.0)
        try:
            obj = self._client.find(ref)
        except (ForbiddenError, TransientError, ConfigError):
            return
        if obj is not None:
            self._context.recorder.event(obj, "Warning", "Refused", str(error))
            replay = Replay.read(obj)
            self._failed(Turn(replay, obj, Observed(), self._context.now()), replay, str(error), told=True)
