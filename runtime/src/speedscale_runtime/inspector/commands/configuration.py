"""The operator's override configuration: `speedscale-operator-override`, the one ConfigMap that is touched."""

from __future__ import annotations

from typing import Any, Final

from speedscale_kube import Object, Ref
from speedscale_kube.errors import ConflictError
from speedscale_runtime.inspector.call import MANAGER, Call
from speedscale_schemas import overrides
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.inspector import Reason, Refusal
from speedscale_schemas.validation import schema

_TRIES: Final = 3


def read(call: Call) -> dict[str, Any]:
    """Return the override. Values are redacted like everything that leaves; those of secrets are not shown at all."""
    found = _live(call)
    known = schema(f"settings/{overrides.SERVICE}")["properties"]
    shown = {
        key: "(hidden)" if known.get(key, {}).get("writeOnly") else call.redaction.text(text)
        for key, text in sorted(_data(found).items())
    }
    return {"config": shown, "name": call.settings.override, "profile": call.settings.profile}


def write(call: Call) -> dict[str, Any]:
    """Change keys, all or none; redone when somebody else wrote in between."""
    put, taken = dict(call.arguments["set"]), frozenset(call.arguments["unset"])
    for left in reversed(range(_TRIES)):
        live = _live(call)
        before = _data(live)
        try:
            overrides.changed(before, put, taken, call.settings.profile)
        except ConfigError as error:
            raise Refusal(Reason.OVERRIDE_REFUSED, "; ".join(error.problems)[:4096]) from error
        keys = sorted(k for k in {*put, *taken} if put.get(k) != before.get(k))
        if not keys:
            return {"changed": [], "dryRun": call.dry_run}
        try:
            stored = _patch(call, live, {key: put.get(key) for key in keys})
        except ConflictError:
            if not left:
                raise
            continue
        told = f"{call.actor} changed through the backend: {', '.join(keys)}"
        call.changes(stored, "OverrideChanged", told)
        return {"changed": keys, "dryRun": call.dry_run}
    raise AssertionError("unreachable")


def _patch(call: Call, live: Object, data: dict[str, str | None]) -> Object:
    guard = {"resourceVersion": live["metadata"]["resourceVersion"]}
    return call.client.patch(_which(call), {"metadata": guard, "data": data}, MANAGER, dry_run=call.dry_run)


def _which(call: Call) -> Ref:
    return Ref("v1", "ConfigMap", call.settings.namespace, call.settings.override)


def _live(call: Call) -> Object:
    found = call.client.find(_which(call))
    if found is None:
        told = f"{_which(call)} is not there; the operator makes it, is it running? speedctl doctor says more"
        raise Refusal(Reason.NOT_FOUND, told)
    return found


def _data(obj: Object) -> dict[str, str]:
    return {str(k): str(v) for k, v in (obj.get("data") or {}).items()}
