"""What healing does about a verdict: mend it, tell it, or leave it. Pure.

A verdict says what a workload would be if it went through admission now. Healing must not simply make it so: after
an upgrade every sidecar would be another one, and every pod in the cluster would start anew at once. So it mends what
was *missed* (a sidecar that is asked for and not there, one that is there and not asked for, settings that are not
what the annotations say) and only tells what is *stale* (the image or the template of an earlier bundle). A stale one
becomes new with the next change of its workload: `kubectl rollout restart` goes through admission, at the time its
owner picks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from speedscale_controller.injection import Inject, Leave, Remove, Skip, Verdict, names, our_containers, pod_template
from speedscale_kube import Object


class Act(StrEnum):
    """What is done."""

    NOTHING = "nothing"
    MEND = "mend"
    STALE = "stale"
    SKIP = "skip"
    REPLAY = "replay"  # a replay has it, and whoever runs that looks after it


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do with one workload. `target` is what MEND makes of it; `reason` is a metric's label."""

    act: Act
    injected: bool = False
    reason: str = ""
    message: str = ""
    target: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def judge(obj: Object, verdict: Verdict, *, under_replay: bool, asked_anew: bool) -> Judgement:
    """Return what is to be done.

    `asked_anew`: its annotations changed while we watched, and its pods did not. `under_replay`: a replay's patch is in
    force, or was and is being taken out.
    """
    if under_replay or names.ENV_ID in (obj["metadata"].get("labels") or {}):
        return Judgement(Act.REPLAY, injected=_has_proxy(pod_template(obj)))
    if isinstance(verdict, Leave):
        return Judgement(Act.NOTHING, injected=verdict.injected, warnings=verdict.warnings)
    if isinstance(verdict, Skip):
        injected = _has_proxy(pod_template(obj))
        return Judgement(Act.SKIP, injected, verdict.reason.value, verdict.message, warnings=verdict.warnings)
    if isinstance(verdict, Remove):
        told = verdict.message or "it is not asked for any more"
        reason = verdict.reason.value if verdict.reason else "not_asked"
        return Judgement(Act.MEND, False, reason, told, verdict.object, verdict.warnings)
    foreign = _has_proxy(pod_template(obj)) and not _is_recorded(obj)
    if foreign or (_has_proxy(pod_template(obj)) and not asked_anew and not _settings_differ(obj, verdict)):
        return Judgement(Act.STALE, True, "stale", _stale(obj, verdict), warnings=verdict.warnings)
    message = "its settings were changed" if _has_proxy(pod_template(obj)) else "it is asked for and was not there"
    return Judgement(Act.MEND, True, "missed", message, verdict.object, verdict.warnings)


_SETTINGS: Final = frozenset(
    {"CAPTURE_MODE", "PROXY_TYPE", "PROXY_PROTOCOL", "PROXY_IN_PORT", "PROXY_OUT_PORT", "PROXY_HOST", "PROXY_PORT"}
    | {"TLS_OUT_UNWRAP", "TLS_IN_UNWRAP", "TLS_IN_PUBLIC_KEY", "TLS_IN_PRIVATE_KEY"}
    | {"TLS_MUTUAL_PUBLIC_KEY", "TLS_MUTUAL_PRIVATE_KEY"}
)
"""Variables of the sidecar that say what annotations say; a bundle changes others."""


def _settings_differ(obj: Object, verdict: Inject) -> bool:
    before, after = (_settings(pod_template(one)) for one in (obj, verdict.object))
    return any(before[name] != after[name] for name in before.keys() & after.keys() & _SETTINGS)


def _settings(template: Mapping[str, Any]) -> dict[str, Any]:
    return {
        variable.get("name"): variable.get("value")
        for container in our_containers(template)
        if container.get("name") == names.CONTAINER
        for variable in container.get("env") or ()
    }


def _stale(obj: Object, verdict: Inject) -> str:
    before, after = (_image(pod_template(one)) for one in (obj, verdict.object))
    kind, name = obj["kind"].lower(), obj["metadata"]["name"]
    what = f"image {before}, now {after}" if before != after else "made from an earlier bundle or with earlier settings"
    if not _is_recorded(obj):
        what += "; an earlier installation put it in, and what it sends may not be understood by this one's forwarder"
    restart = f"kubectl rollout restart {kind}/{name} -n {obj['metadata'].get('namespace', '')}"
    if obj["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
        restart = "apply the workload anew"
    return f"its sidecar is an earlier one ({what}) and stays; it is renewed when the pods are: {restart}"


def _is_recorded(obj: Object) -> bool:
    """Say whether it was this product that put the sidecar in: then it is on record how to take it out."""
    return names.REVERT in ((pod_template(obj).get("metadata") or {}).get("annotations") or {})


def _image(template: Mapping[str, Any]) -> str:
    return next((str(c.get("image")) for c in our_containers(template) if c.get("name") == names.CONTAINER), "none")


def _has_proxy(template: Mapping[str, Any]) -> bool:
    return any(container.get("name") == names.CONTAINER for container in our_containers(template))
