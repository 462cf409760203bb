"""Replays started, looked at, followed and canceled: TrafficReplay objects; the operator does the rest."""

from __future__ import annotations

import random
from typing import Any, Final

from speedscale_kube import Object, Ref
from speedscale_kube.errors import ExistsError
from speedscale_runtime.inspector import views
from speedscale_runtime.inspector.call import MANAGER, Call
from speedscale_schemas import trafficreplay
from speedscale_schemas.asking import replay_names, replays
from speedscale_schemas.asking.replays import Ended
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.inspector import Reason, Refusal

from .sidecars import named

POLL_S: Final = 1.0
_NAMES: Final = 5


def start(call: Call) -> dict[str, Any]:
    """Make a TrafficReplay; a name that nobody chose is chosen anew when it is taken."""
    given = call.arguments
    targets = [named(call, text) for text in given["workloads"]]
    asked = replays.Asked(
        snapshot_id=given["snapshotId"],
        test_config_id=given["testConfigId"],
        mode=given["mode"],
        tests=given.get("tests", ()),
        mocks=given.get("mocks", ()),
        cleanup=given.get("cleanup", ""),
        build_tag=given.get("buildTag", ""),
    )
    made = _create(call, asked, targets)
    meta = made["metadata"]
    call.changes(made, "ReplayStarted", f"{call.actor} started it through the backend")
    return {"name": meta["name"], "namespace": meta["namespace"], "uid": meta.get("uid", ""), "dryRun": call.dry_run}


def _create(call: Call, asked: replays.Asked, targets: list[Object]) -> Object:
    chosen = call.arguments.get("name")
    for left in reversed(range(_NAMES)):
        name = chosen or replay_names.generate(random.SystemRandom())
        obj = replays.build(asked, name, call.arguments["namespace"], targets)
        if problems := trafficreplay.validate(obj):
            raise ConfigError([str(problem) for problem in problems])
        try:
            return call.client.create(obj, MANAGER, dry_run=call.dry_run)
        except ExistsError:
            if chosen or not left:
                raise
    raise AssertionError("unreachable")


def _which(call: Call) -> Ref:
    given = call.arguments
    return Ref(trafficreplay.API_VERSION, trafficreplay.KIND, given["namespace"], given["name"])


def _there(call: Call) -> Object:
    found = call.client.find(_which(call))
    if found is None:
        raise Refusal(Reason.NOT_FOUND, f"there is no TrafficReplay {_which(call).name} in {_which(call).namespace}")
    return found


def status(call: Call) -> dict[str, Any]:
    """Emit one replay, or all."""
    if "name" in call.arguments:
        call.emit(views.replay(_there(call), call.redaction.text))
        return {}
    for obj in call.each(trafficreplay.API_VERSION, trafficreplay.KIND):
        call.emit(views.replay(obj, call.redaction.text))
    return {}


def follow(call: Call) -> dict[str, Any]:
    """Emit a replay whenever its status changed, until it has ended; the result says how."""
    obj: Object | None = _there(call)
    seen: object = None
    while obj is not None:
        now = views.replay(obj, call.redaction.text)
        if now != seen:
            call.emit(now)
            seen = now
        end = replays.ended(obj, mocks_suffice=call.arguments["mocksSuffice"])
        if end is not None:
            return _outcome(*end, call)
        call.stop.wait(POLL_S)
        if call.stop.is_set():
            return {}
        obj = call.client.find(_which(call))
    return _outcome(Ended.CANCELED, "it was deleted before its end", call)


def _outcome(ended: Ended, message: str, call: Call) -> dict[str, Any]:
    return {"outcome": ended.value, "message": call.redaction.text(message)}


def cancel(call: Call) -> dict[str, Any]:
    """Delete a replay; with `wait` until the operator has cleaned up."""
    obj = _there(call)
    which = _which(call)
    call.client.delete(which)
    call.changes(obj, "ReplayCanceled", f"{call.actor} canceled it through the backend")
    while call.arguments["wait"] and not call.stop.wait(POLL_S) and call.client.find(which) is not None:
        pass
    return {"name": which.name, "namespace": which.namespace, "gone": call.client.find(which) is None}
