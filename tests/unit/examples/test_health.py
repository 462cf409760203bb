"""Argo CD's health checks, run by the Lua interpreter that Argo CD embeds the same language of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lupa
import pytest

from speedscale_schemas import trafficreplay

HEALTH = Path(__file__).resolve().parents[3] / "examples" / "argocd" / "health"


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


RUNNING = condition("Running", "True", "GeneratorStarted", "Running: 40 of 100 requests")
MOCKS = condition("MocksReady", "True", "ResponderReady", "Mocks answer")
PASSED = condition("Ready", "True", "TestSucceeded", "Passed")
MISSED = condition("Ready", "True", "TestFailed", "Failed: Missed Goals")
NOT_READY = condition("Ready", "False", "Running", "Running")


def judge(script: str, obj: dict[str, Any]) -> tuple[str, str]:
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    verdict = lua.execute((HEALTH / script).read_text("utf-8"))
    return verdict.status, verdict.message


def replay(conditions: list[dict[str, Any]] | None, *, mode: str = "full-replay", seen: int = 2) -> dict[str, Any]:
    obj: dict[str, Any] = {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "gate", "namespace": "shop", "generation": 2},
        "spec": {"snapshotID": "latest", "testConfigID": "standard", "mode": mode},
    }
    if conditions is not None:
        obj["status"] = {"conditions": conditions, "observedGeneration": seen, "active": True}
    return obj


CASES = [
    ("no status yet", replay(None), "Progressing", "waiting for the operator"),
    ("no conditions yet", replay([]), "Progressing", "waiting for the operator"),
    ("running", replay([RUNNING]), "Progressing", "Running: 40 of 100 requests"),
    ("mocks ready, tests to come", replay([MOCKS, RUNNING]), "Progressing", "Running: 40 of 100 requests"),
    ("not ready yet", replay([RUNNING, NOT_READY]), "Progressing", "Running"),
    ("passed", replay([MOCKS, RUNNING, PASSED]), "Healthy", "Passed"),
    ("missed its goals", replay([RUNNING, MISSED]), "Degraded", "Failed: Missed Goals"),
    (
        "verdict of the version before",
        replay([PASSED], seen=1),
        "Progressing",
        "the operator has not seen this version yet",
    ),
    ("never observed", replay([PASSED], seen=-1), "Progressing", "the operator has not seen this version yet"),
    ("only mocks", replay([MOCKS], mode="responder-only"), "Healthy", "Mocks answer"),
    ("only mocks, starting", replay([RUNNING], mode="responder-only"), "Progressing", "Running: 40 of 100 requests"),
    ("only mocks, failed", replay([MOCKS, MISSED], mode="responder-only"), "Degraded", "Failed: Missed Goals"),
]


@pytest.mark.parametrize(("obj", "status", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_replay_is_progressing_until_ready_and_then_what_its_reason_says(
    obj: dict[str, Any], status: str, message: str
) -> None:
    assert [p for p in trafficreplay.validate(obj) if p.severity == "error"] == [], "the status is one that exists"
    assert judge("trafficreplay.lua", obj) == (status, message)


def test_an_application_in_an_app_of_apps_is_as_healthy_as_argo_cd_found_it() -> None:
    degraded = {"status": {"health": {"status": "Degraded", "message": "no"}}}
    assert judge("application.lua", degraded) == ("Degraded", "no")
    assert judge("application.lua", {"status": {"health": {"status": "Healthy"}}}) == ("Healthy", "")
    assert judge("application.lua", {"status": {}})[0] == "Progressing"
    assert judge("application.lua", {})[0] == "Progressing"
