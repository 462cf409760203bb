"""Managed components: what lives is compared with the bundle and, where that is ours to do, made so.

A key is a component's name (or OVERRIDE). One look: is the bundle in memory the one that the API server has → what
should be → what lives → plan (pure, `drift`) → writes → how far its pods are. A component that is as wanted
costs reads and no write. Woken by changes of the objects, of the bundle, of settings, and each few minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from speedscale_controller.bundle import Bundle
from speedscale_controller.drift import Action, Patience, Plan, Policy, Reason, Step, plan
from speedscale_controller.reconciling import Context, Watched
from speedscale_controller.reconciling.live import SETTINGS
from speedscale_controller.settings import Settings, compose
from speedscale_controller.settings.compose import BASE, OVERRIDE
from speedscale_controller.telemetry import labels
from speedscale_kube import Object, Ref, ref
from speedscale_kube.queue import Queue
from speedscale_kube.store import Key, Store
from speedscale_kube.worker import Result
from speedscale_schemas.errors import ConfigError, PermanentError

from . import gather
from .desired import LATER, Desired, desired, without_override
from .rollout import Cause, Rollout, rollout
from .state import Condition, Telling, Told, Trouble, step_event
from .watched import KINDS, Held
from .writing import Outcome, take

RESYNC_S: Final = 300.0
BUNDLE_S: Final = 2.0  # how long to wait for the bundle to be whole, and in memory
BUNDLE_LOOKS: Final = 5  # so many looks later it is worth a word
ROLLOUT_S: Final = 10.0
_NEW: Final = frozenset({Reason.ROLLED_FORWARD, Reason.MISSING})


class Components:
    """The reconciler. State in memory (what was told, repairs, since when) may be lost at any time."""

    name = "components"

    def __init__(self) -> None:
        self._stores: tuple[Store[Held], ...] = ()
        self._patience = Patience()
        self._down_since: dict[str, float] = {}
        self._up: set[str] = set()
        self._behind: dict[str, int] = {}
        self._parts_of: tuple[Bundle | None, dict[Ref, str]] = (None, {})

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return the kinds of components; without any interest in them (gitops, off) there is no right to read them."""
        idle = settings.profile == "gitops" and settings.drift == "off"
        return (SETTINGS,) if idle else (SETTINGS, *KINDS)

    def start(self, context: Context) -> None:
        """Begin the worker."""
        self._context = context
        self._telling = Telling(context.client, context.recorder, context.metrics.registry, context.settings.namespace)
        self._queue: Queue[str] = context.work(self.name, self.reconcile, on_permanent=self._gave_up)
        if len(self.watches(context.settings)) > 1:
            self._stores = tuple(context.store(kind) for kind in KINDS)
        for store in self._stores:
            store.add_handler(self._object_changed)
        context.store(SETTINGS).add_handler(self._settings_changed)
        context.on_bundle(self._everything)
        context.every(RESYNC_S, self.name, self._everything)

    def reconcile(self, component: str) -> Result | None:
        """Look at one component."""
        settings = self._context.settings
        if component == OVERRIDE:
            self._override()
            return None
        policy, creates = Policy(settings.drift), settings.profile == "operator"
        bundle = self._context.bundle()
        if bundle is None or (policy is Policy.OFF and not creates):
            self._telling.forget(component)
            self._telling.flush()
            return None
        there = gather.present(self._context.client, settings.namespace)
        if not there.is_of(bundle):
            return self._wait_for_bundle(component)
        self._behind.pop(component, None)
        return self._settle(component, bundle, policy, creates, there)

    def _settle(
        self, component: str, bundle: Bundle, policy: Policy, creates: bool, there: gather.Present
    ) -> Result | None:
        settings = self._context.settings
        base = without_override(self._config_map(BASE), settings)
        want = desired(component, bundle, base, settings)
        wanted = {ref(one): one for one in want.objects}
        made = set() if want.unsure or not creates else self._made(component)
        if not wanted and not made and not want.problems:
            self._down_since.pop(component, None)
            self._up.add(component)  # nothing of it is to be waited for
            self._telling.forget(component)
            self._telling.flush()
            return None
        live = gather.objects(self._context.client, {*wanted, *made})
        decided = plan(want.objects, live, policy, creates=creates, component=component)
        first = self._not_up(component, bundle) if any(step.reason in _NEW for step in decided.writes) else ""
        if first:
            self._telling.condition(component, Condition.WAITING, f"{first} comes first")
            self._telling.flush()
            return Result(ROLLOUT_S)
        taken = self._take(component, decided, wanted, live)
        after = self._rollout(component, wanted, live, taken)
        self._tell(component, want, decided, taken, live, after, there)
        waits = [self._patience.wait_s(step.ref, self._context.clock()) for step in decided.writes]
        waits += [ROLLOUT_S] if not after.up or _leaving(decided) else []
        due = [wait for wait in waits if wait > 0]
        return Result(min(due)) if due else None

    def _take(
        self, component: str, decided: Plan, wanted: dict[Ref, Object], live: dict[Ref, Object]
    ) -> tuple[Outcome, ...]:
        """Take the steps that write, but for objects that somebody else keeps changing."""
        taken = []
        for step in decided.writes:
            now = self._context.clock()
            if step.reason in (Reason.ROLLED_FORWARD, Reason.SWITCHED_OFF):
                self._patience.forget(step.ref)
            elif self._patience.wait_s(step.ref, now):
                message = f"{step.message}; it was mended often and is left alone for a while"
                taken.append(Outcome(step, False, live.get(step.ref), Trouble.CONTENDED, message))
                continue
            outcome = take(self._context.client, step, wanted.get(step.ref), live.get(step.ref))
            taken.append(outcome)
            self._count(component, outcome)
            if outcome.wrote:
                self._wrote(component, outcome, live)
        return tuple(taken)

    def _wrote(self, component: str, outcome: Outcome, live: dict[Ref, Object]) -> None:
        step = outcome.step
        about = outcome.live or live.get(step.ref) or {}
        uid = str((about.get("metadata") or {}).get("uid", ""))
        word = {Action.CREATE: "Created", Action.APPLY: "Mended", Action.DELETE: "Removed"}[step.action]
        word = "Updated" if step.reason is Reason.ROLLED_FORWARD else word
        self._telling.once(Told(step.ref, uid, "Normal", f"Component{word}", step.message))
        if step.reason in (Reason.CHANGED, Reason.MISSING):
            wait = self._patience.repaired(step.ref, self._context.clock())
            if wait:
                message = (
                    f"{step.ref} is changed again and again and was put right each time; it is left alone for"
                    f" {wait:.0f} s. {step.message}. Stop whoever changes it, or set DRIFT to report"
                )
                self._telling.once(Told(step.ref, uid, "Warning", "ComponentContended", message))

    def _count(self, component: str, outcome: Outcome) -> None:
        result = outcome.trouble.value if outcome.trouble else (outcome.step.reason.value if outcome.wrote else "none")
        self._context.metrics.components_repairs.labels(labels.component(component), result).inc()

    def _rollout(
        self, component: str, wanted: dict[Ref, Object], live: dict[Ref, Object], taken: tuple[Outcome, ...]
    ) -> Rollout:
        """Return how far a component's pods are; the reason why they are not up is looked for when it takes long."""
        now = {**live, **{one.step.ref: one.live for one in taken if one.live is not None}}
        seen = [(now[which], rollout(now[which])) for which in wanted if which in now]
        down = [(obj, one) for obj, one in seen if not one.up]
        if not down:
            self._down_since.pop(component, None)
            if component not in self._up:
                self._up.add(component)
                for later in LATER:  # which may have waited for this
                    self._queue.add(later)
            self._telling.rolled(component, Cause.NONE)
            return Rollout(Cause.NONE)
        self._up.discard(component)
        since = self._down_since.setdefault(component, self._context.clock())
        found = down[0][1]
        if self._context.clock() - since >= self._context.settings.control_plane_timeout_s:
            found = gather.why(self._context.client, *down[0])
        self._telling.rolled(component, found.cause)
        return found

    def _late(self, component: str) -> bool:
        since = self._down_since.get(component)
        return since is not None and self._context.clock() - since >= self._context.settings.control_plane_timeout_s

    def _not_up(self, component: str, bundle: Bundle) -> str:
        """Return a component that this one waits for: not up, and not given up on."""
        if component not in LATER:
            return ""
        first = (one for one in bundle.components if one not in LATER)
        return next((one for one in first if one not in self._up and not self._late(one)), "")

    def _tell(
        self,
        component: str,
        want: Desired,
        decided: Plan,
        taken: tuple[Outcome, ...],
        live: dict[Ref, Object],
        after: Rollout,
        there: gather.Present,
    ) -> None:
        """Write condition, metrics and those Events that are new."""
        uids = {which: str(one["metadata"].get("uid", "")) for which, one in live.items()}
        home = self._home(component, there)
        steps = [step_event(step, uids.get(step.ref, "")) for step in decided.of(Action.REPORT)]
        told = {one for one in steps if one is not None}
        failed = [one for one in taken if one.trouble]
        told |= {Told(*home, "Warning", "ComponentNotWritten", one.message) for one in failed}
        told |= {Told(*home, "Warning", "OverrideNotCarried", problem) for problem in want.problems}
        if self._late(component):
            told |= {Told(*home, "Warning", "ComponentNotUp", after.message)}
        self._telling.events(component, frozenset(told))
        drifted = [step for step in decided.of(Action.REPORT) if step.reason is not Reason.CLAIM]
        self._context.metrics.components_drifted.labels(labels.component(component)).set(len(drifted) + len(failed))
        troubles = {one.step.ref: one.trouble.value for one in failed if one.trouble}
        mended = {one.step.ref: Reason.AS_WANTED.value for one in taken if not one.trouble}
        found = {step.ref: step.reason.value for step in decided.steps} | mended | troubles
        self._telling.measured(component, tuple(found.values()))
        self._telling.condition(component, *self._condition(component, want, drifted, failed, after))
        self._telling.flush()

    def _condition(
        self, component: str, want: Desired, drifted: list[Step], failed: list[Outcome], after: Rollout
    ) -> tuple[Condition, str]:
        if failed:
            contended = failed[0].trouble is Trouble.CONTENDED
            return (Condition.CONTENDED if contended else Condition.FAILED), failed[0].message
        if want.problems:
            return Condition.FAILED, want.problems[0]
        if not want.wanted:
            return Condition.OFF, ""
        if drifted:
            return Condition.DRIFTED, drifted[0].message
        if not after.up:
            return (Condition.DOWN, after.message) if self._late(component) else (Condition.STARTING, "")
        return Condition.AS_WANTED, ""

    def _wait_for_bundle(self, component: str) -> Result:
        """Wait until the bundle is whole and in memory; what is wrong with one that is not is told by the manager."""
        self._behind[component] = self._behind.get(component, 0) + 1
        if self._behind[component] == BUNDLE_LOOKS:
            message = "the bundle in the cluster is not whole, or not read yet; the components stay as they are"
            self._telling.condition(component, Condition.WAITING, message)
            self._telling.flush()
        return Result(BUNDLE_S)

    def _override(self) -> None:
        """Note what of the override is refused; the Event on the ConfigMap is the manager's."""
        settings = self._context.settings
        environ = {"POD_NAME": settings.pod_name, "POD_NAMESPACE": settings.namespace}
        try:
            composed = compose(environ, self._config_map(BASE), self._config_map(OVERRIDE))
        except ConfigError:
            return  # told by who reads the settings
        problems = [text for _, text in composed.problems]
        if problems:
            self._telling.condition("override", Condition.FAILED, problems[0])
        else:
            self._telling.forget("override")
        self._telling.flush()

    def _gave_up(self, component: str, error: PermanentError) -> None:
        """Tell that a component could not even be looked at: a right is missing."""
        home = Ref("v1", "ConfigMap", self._context.settings.namespace, f"speedscale-bundle-{component}")
        self._telling.events(component, frozenset({Told(home, "", "Warning", "ComponentNotRead", str(error))}))
        self._telling.measured(component, (Trouble.RIGHT_MISSING.value,))
        self._telling.condition(component, Condition.FAILED, str(error))
        self._telling.flush()

    def _home(self, component: str, there: gather.Present) -> tuple[Ref, str]:
        """Return where Events about a whole component go: its part of the bundle, else the operator's settings."""
        name = f"speedscale-bundle-{component}"
        namespace = self._context.settings.namespace
        if name in there.uids:
            return Ref("v1", "ConfigMap", namespace, name), there.uids[name]
        return Ref("v1", "ConfigMap", namespace, BASE), ""

    def _config_map(self, name: str) -> dict[str, str] | None:
        data = self._context.store(SETTINGS).get((self._context.settings.namespace, name))
        return None if data is None else dict(data)

    def _made(self, component: str) -> set[Ref]:
        return {one.ref for store in self._stores for one in store.values() if one.made == component}

    def _object_changed(self, key: Key, old: Held | None, new: Held | None) -> None:
        for one in (old, new):
            if one is not None:
                for component in {one.made, self._parts().get(one.ref, "")} - {""}:
                    self._queue.add(component)

    def _parts(self) -> dict[Ref, str]:
        """Return of which component each object of the bundle is."""
        bundle = self._context.bundle()
        if bundle is not self._parts_of[0]:
            names = bundle.components if bundle else ()
            parts = {ref(dict(one)): name for name in names for one in (bundle.managed(name) if bundle else ())}
            self._parts_of = (bundle, parts)
        return self._parts_of[1]

    def _settings_changed(self, key: Key, old: object, new: object) -> None:
        self._queue.add(OVERRIDE)

    def _everything(self) -> None:
        bundle = self._context.bundle()
        made = {one.made for store in self._stores for one in store.values() if one.made}
        for component in sorted({*(bundle.components if bundle else ()), *made, *_switched(self._context.settings)}):
            self._queue.add(component)
        self._queue.add(OVERRIDE)


def _switched(settings: Settings) -> tuple[str, ...]:
    """Return the components that settings may ask for though the bundle has none of them."""
    return ("demo", "inspector", "forwarder") if settings.profile == "operator" else ()


def _leaving(decided: Plan) -> bool:
    """Say whether something is being deleted, after which there is another look."""
    return any(step.reason is Reason.BEING_DELETED for step in decided.steps)
