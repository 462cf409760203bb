"""How components are, told where people look: a key of a ConfigMap, metrics, Events. No decision is made here.

ConfigMap `speedscale-operator-state`, key `components`: a line a component. It is written when it changes. The
ConfigMap itself is another concern's; where it is not there yet nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from speedscale_controller.certificates.names import STATE
from speedscale_controller.drift import Reason, Step
from speedscale_controller.drift.compare import MANAGER
from speedscale_controller.telemetry import labels
from speedscale_kube import Client, Ref
from speedscale_kube.events import Recorder, Type
from speedscale_schemas.errors import PermanentError

from .rollout import Cause

KEY: Final = "components"
_PREFIX: Final = "speedscale_operator_components"
_log = structlog.get_logger("speedscale_controller")


class Condition(StrEnum):
    """How a component is."""

    AS_WANTED = "as wanted"
    OFF = "switched off"
    DRIFTED = "drifted"
    STARTING = "starting"
    DOWN = "not up"
    WAITING = "waiting"
    FAILED = "failed"
    CONTENDED = "contended"


class Trouble(StrEnum):
    """Why an object could not be written; a metric's label beside those of `Reason`."""

    RIGHT_MISSING = "right_missing"
    IMMUTABLE = "immutable"
    REFUSED = "refused"
    CONTENDED = "contended"


@dataclass(frozen=True, slots=True)
class Told:
    """Something a user should read: an Event on an object."""

    about: Ref
    uid: str
    type: Type
    reason: str
    message: str


EVENTS: Final[dict[Reason, tuple[Type, str]]] = {
    Reason.MISSING: ("Warning", "ComponentMissing"),
    Reason.CHANGED: ("Warning", "ComponentDrifted"),
    Reason.GITOPS_TOOL: ("Warning", "ComponentLeftToGitOps"),
    Reason.CLAIM: ("Warning", "ComponentClaimKept"),
}
"""Steps that only tell; the other reasons are no news, or are told by what was written."""


class Telling:
    """Remembers what was told, so that the same is told once. One thread."""

    def __init__(self, client: Client, recorder: Recorder, registry: CollectorRegistry, namespace: str) -> None:
        self._client, self._recorder, self._namespace = client, recorder, namespace
        self._lines: dict[str, str] = {}
        self._told: dict[str, frozenset[Told]] = {}
        self._written: str | None = None
        self.objects = Gauge(
            f"{_PREFIX}_objects", "Objects of components by what was found.", ["component", "reason"], registry=registry
        )
        self.down = Gauge(
            f"{_PREFIX}_down_state", "1 while a component is not up.", ["component", "cause"], registry=registry
        )

    def condition(self, component: str, condition: Condition, message: str = "") -> None:
        """Note how a component is; `flush` writes it."""
        line = f"{condition.value}: {message}" if message else condition.value
        if self._lines.get(component) != line:
            self._lines[component] = line
            _log.info("component_condition", component=component, condition=condition.name.lower(), message=message)

    def forget(self, component: str) -> None:
        """Note that there is nothing to say of a component."""
        self._lines.pop(component, None)
        self._told.pop(component, None)
        self.measured(component, ())
        self.rolled(component, Cause.NONE)

    def events(self, component: str, told: frozenset[Told]) -> None:
        """Write those Events that were not told the last time."""
        for one in sorted(told - self._told.get(component, frozenset()), key=lambda t: (t.about, t.reason, t.message)):
            self._recorder.event(one.about, one.type, one.reason, one.message, uid=one.uid)
        self._told[component] = told

    def once(self, told: Told) -> None:
        """Write an Event about something that was done."""
        self._recorder.event(told.about, told.type, told.reason, told.message, uid=told.uid)

    def measured(self, component: str, found: tuple[str, ...]) -> None:
        """Set how many objects of a component were found in which state (`Reason` and `Trouble`)."""
        name = labels.component(component)
        for reason in (*Reason, *Trouble):
            self.objects.labels(name, reason.value).set(sum(one == reason.value for one in found))

    def rolled(self, component: str, cause: Cause) -> None:
        """Set why a component is not up."""
        name = labels.component(component)
        for one in Cause:
            self.down.labels(name, one.value).set(one is cause and one is not Cause.NONE)

    def flush(self) -> None:
        """Write the lines where they changed; a missing right is logged once a change."""
        text = "".join(f"{component}: {self._lines[component]}\n" for component in sorted(self._lines))
        if text == (self._written or ""):
            return
        which = Ref("v1", "ConfigMap", self._namespace, STATE)
        try:
            if self._client.find(which) is None:
                return
            change = {"metadata": {"name": STATE, "namespace": self._namespace}, "data": {KEY: text}}
            self._client.apply({"apiVersion": "v1", "kind": "ConfigMap", **change}, MANAGER, force=True)
        except PermanentError as error:
            _log.warning("component_state_not_written", error=str(error))
        self._written = text


def step_event(step: Step, uid: str) -> Told | None:
    """Return the Event of a step that only tells."""
    event = EVENTS.get(step.reason)
    return None if event is None else Told(step.ref, uid, *event, step.message)
