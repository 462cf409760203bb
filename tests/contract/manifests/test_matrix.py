"""Every switch alone, and all pairs of them: an installation that holds, or a refusal that names one of the two."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_manifests.output import render
from speedscale_manifests.synth import placed, synthesise
from speedscale_manifests.values import Values, ValuesError, from_mapping


def _load() -> ModuleType:
    """Return `tests/generators/switches.py`; its switches name the tests, so a fixture would come too late."""
    path = Path(__file__).parents[2] / "generators" / "switches.py"
    spec = importlib.util.spec_from_file_location("generators_switches", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


switches = _load()
NUMBERED = list(enumerate(switches.SWITCHES))


def accepted(*chosen: Any) -> Values | None:
    """Return the values of switches; None for a combination that is refused, and rightly at one of the switches."""
    try:
        return from_mapping(switches.tree(*chosen))
    except ValuesError as error:
        refusals, problems = error.refusals, error.problems
    assert {refusal.path for refusal in refusals} <= {".".join(switch.path) for switch in chosen}, problems
    assert all(refusal.remedy for refusal in refusals), problems
    return None


def test_the_matrix_knows_the_switches_of_the_schema() -> None:
    names = {".".join(switch.path) for switch in switches.SWITCHES}
    assert {"profile", "preset", "ebpf.enabled", "backend.enabled", "networkPolicies.enabled"} <= names
    assert {"argocd.annotations", "dashboardAccess", "operator.drift", "forwarder.persistence.enabled"} <= names
    assert len(names) >= 35


@pytest.mark.parametrize("switch", switches.SWITCHES, ids=str)
def test_each_switch_alone_holds(judge: Any, switch: Any) -> None:
    values = accepted(switch)
    assert values is not None, "no switch may be refused alone"
    assert judge.problems(values) == []


@pytest.mark.parametrize(("number", "switch"), NUMBERED, ids=[str(switch) for _, switch in NUMBERED])
def test_each_switch_holds_beside_every_other(judge: Any, number: int, switch: Any) -> None:
    others = [other for other in switches.SWITCHES[number + 1 :] if other.path != switch.path]
    broken: dict[str, list[str]] = {}
    refused: list[str] = []
    for other in others:
        values = accepted(switch, other)
        if values is None:
            refused.append(str(other))
        elif problems := judge.problems(values):
            broken[str(other)] = problems[:2]
    assert broken == {}
    assert len(refused) <= 3, refused


SAMPLE = [{}, *({"preset": preset} for preset in ("gke-autopilot", "openshift", "eks-fargate"))]
SAMPLE += [{"profile": "operator", "ebpf": {"enabled": True}, "backend": {"enabled": True}}]


@pytest.mark.parametrize("tree", SAMPLE, ids=lambda tree: " ".join(map(str, tree.values())) or "default")
def test_cdk8s_gives_the_same_files(tree: dict[str, Any]) -> None:
    values = from_mapping(tree)
    assert synthesise(values) == render(placed(values), values.namespace)
