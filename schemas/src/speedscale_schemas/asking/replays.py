"""The TrafficReplay that a user's words mean, and how one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from speedscale_schemas import trafficreplay
from speedscale_schemas.errors import ConfigError

from .workloads import TARGETS

_VERDICTS: Final = (("Missed Goals", "failed"), ("Canceled", "canceled"))
"""What the message of a replay that did not succeed says behind `Failed:`; anything else is an error of the run."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user says of a replay. None and empty mean: not said."""

    snapshot_id: str
    test_config_id: str = "standard"
    mode: str = "full-replay"
    tests: Sequence[str] = ()
    mocks: Sequence[str] = ()
    cleanup: str = ""
    build_tag: str = ""


def build(asked: Asked, name: str, namespace: str, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the TrafficReplay for these live workloads.

    One workload gets all tests unless told otherwise; of several each gets those that fit its name, since a test runs
    once. ConfigError for a kind that cannot be under test, or for tests or mocks beside several workloads.
    """
    wrong = [
        f"{t['kind']} {t['metadata']['namespace']}/{t['metadata']['name']} cannot be under test; "
        f"a {', a '.join(TARGETS)} can"
        for t in targets
        if t["kind"] not in TARGETS
    ]
    if len(targets) > 1 and (asked.tests or asked.mocks):
        wrong.append("--tests and --mocks are for one --workload; write a TrafficReplay for more (--dry-run shows one)")
    if wrong:
        raise ConfigError(wrong)
    spec: dict[str, Any] = {
        "snapshotID": asked.snapshot_id,
        "testConfigID": asked.test_config_id,
        "mode": asked.mode,
        "workloads": [_workload(asked, target, alone=len(targets) == 1) for target in targets],
    }
    if asked.cleanup:
        spec["cleanup"] = asked.cleanup
    if asked.build_tag:
        spec["buildTag"] = asked.build_tag
    return {
        "apiVersion": trafficreplay.API_VERSION,
        "kind": trafficreplay.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _workload(asked: Asked, target: Mapping[str, Any], *, alone: bool) -> dict[str, Any]:
    meta = target["metadata"]
    made: dict[str, Any] = {
        "ref": {
            "apiVersion": target["apiVersion"],
            "kind": target["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
        }
    }
    if asked.mode != "responder-only":
        made["tests"] = list(asked.tests) or (["*"] if alone else [meta["name"]])
    if asked.mode != "generator-only":
        made["mocks"] = list(asked.mocks) or ["*"]
    return made


class Ended(StrEnum):
    """How waiting for a replay ended."""

    PASSED = "passed"
    FAILED = "failed"  # missed goals
    CANCELED = "canceled"  # it is gone, or was told to be
    ERROR = "error"  # it could not run to its end
    MOCKS_READY = "mocks-ready"
    TIMEOUT = "timeout"

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed or canceled, 2 everything else."""
        return {Ended.PASSED: 0, Ended.MOCKS_READY: 0, Ended.FAILED: 1, Ended.CANCELED: 1}.get(self, 2)


def ended(replay: Mapping[str, Any], *, mocks_suffice: bool) -> tuple[Ended, str] | None:
    """Return how a replay ended and what was said, None while it runs. `mocks_suffice`: ready mocks are enough."""
    ready = condition(replay, "Ready")
    if ready.get("status") == "True":
        message = str(ready.get("message", ""))
        return (Ended.PASSED if ready.get("reason") == "TestSucceeded" else verdict(message)), message
    if (replay.get("metadata") or {}).get("deletionTimestamp"):
        return Ended.CANCELED, "it is being deleted"
    mocks = condition(replay, "MocksReady")
    if mocks_suffice and mocks.get("status") == "True":
        return Ended.MOCKS_READY, str(mocks.get("message", ""))
    return None


def verdict(message: str) -> Ended:
    """Return what the message of a replay that did not succeed means."""
    said = message.removeprefix("Failed:").strip()
    return next((Ended(state) for words, state in _VERDICTS if said.startswith(words)), Ended.ERROR)


def condition(replay: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """Return a condition of a replay's status, empty when it has none of this type."""
    return next((c for c in conditions(replay) if c.get("type") == type_), {})


def conditions(replay: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all conditions, the newest last."""
    found = (replay.get("status") or {}).get("conditions") or ()
    return [c for c in found if isinstance(c, Mapping)]


def standing(replay: Mapping[str, Any]) -> str:
    """Return the newest that is told about a replay, in one line."""
    told = conditions(replay)
    if not told:
        return "the operator has not seen it yet"
    reason, message = str(told[-1].get("reason", "")), str(told[-1].get("message", ""))
    return f"{reason}: {message}" if message else reason
