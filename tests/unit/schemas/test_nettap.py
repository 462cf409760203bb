"""The targets of nettap: what one side writes the other reads, and the schema says the same as the reader."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from speedscale_schemas import nettap, validation
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.nettap import Place, Refusal, Refused, Targets, Workload

CART = Workload(Place("shop", "Deployment", "cart"), "cart", (9090, 5432))
PAY = Refused(Place("shop", "Deployment", "pay"), Refusal.JAVA_AGENT, "no agent yet: \u201ctake it away\u201d")


def test_what_is_written_is_read() -> None:
    targets = Targets((CART,), (PAY,))
    found = nettap.parse(nettap.render(targets))
    assert found.workloads == (Workload(CART.place, "cart", (5432, 9090)),)
    assert found.refused == (PAY,)
    assert not validation.check(nettap.KIND, json.loads(nettap.render(targets)))


def test_the_same_set_gives_the_same_bytes() -> None:
    workloads = [Workload(Place("shop", kind, f"w{i}")) for i in range(20) for kind in sorted(nettap.KINDS)]
    first = nettap.render(Targets(tuple(workloads)))
    random.Random(1).shuffle(workloads)
    assert nettap.render(Targets(tuple(workloads))) == first


def test_without_a_label_a_workload_is_known_by_its_name() -> None:
    found = nettap.parse('{"version":1,"workloads":[{"namespace":"a","kind":"Pod","name":"p"}]}')
    assert found.workloads[0].app_label == "p"


def test_what_would_not_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 16 different ports"):
        nettap.render(Targets((Workload(Place("a", "Pod", "p"), "", tuple(range(1, 18))),)))


_GOOD: dict[str, Any] = {"namespace": "a", "kind": "Pod", "name": "p"}
_WRONG: list[Any] = [
    [],
    {},
    {"version": 2, "workloads": []},
    {"version": True, "workloads": []},
    {"version": 1},
    {"version": 1, "workloads": {}},
    {"version": 1, "workloads": [1]},
    {"version": 1, "workloads": [], "more": 1},
    *(
        {"version": 1, "workloads": [{**_GOOD, **change}]}
        for change in (
            {"kind": "Node"},
            {"kind": 1},
            {"name": ""},
            {"namespace": "x" * 64},
            {"appLabel": 1},
            {"ignorePorts": [0]},
            {"ignorePorts": [1, 1]},
            {"ignorePorts": ["1"]},
            {"ignorePorts": [True]},
            {"ignorePorts": 5},
            {"ignorePorts": list(range(1, 18))},
            {"other": 1},
        )
    ),
    {"version": 1, "workloads": [{"namespace": "a", "kind": "Pod"}]},
    {"version": 1, "workloads": [], "refused": [{**_GOOD, "reason": "no", "message": "m"}]},
    {"version": 1, "workloads": [], "refused": [{**_GOOD, "reason": "sidecar"}]},
    {"version": 1, "workloads": [], "refused": [{**_GOOD, "reason": "sidecar", "message": "m" * 1025}]},
]


@pytest.mark.parametrize("document", _WRONG, ids=[json.dumps(d)[:60] for d in _WRONG])
def test_the_reader_refuses_what_the_schema_refuses(document: Any) -> None:
    assert validation.check(nettap.KIND, document)
    with pytest.raises(ConfigError):
        nettap.parse(json.dumps(document))


@pytest.mark.parametrize(
    "document",
    [
        {"version": 1, "workloads": []},
        {"version": 1, "workloads": [{**_GOOD, "appLabel": "", "ignorePorts": []}], "refused": []},
        *({"version": 1, "workloads": [{**_GOOD, "kind": kind}]} for kind in sorted(nettap.KINDS)),
        *({"version": 1, "workloads": [], "refused": [{**_GOOD, "reason": r.value, "message": ""}]} for r in Refusal),
    ],
)
def test_the_reader_takes_what_the_schema_takes(document: Any) -> None:
    assert not validation.check(nettap.KIND, document)
    nettap.parse(json.dumps(document))


def test_every_problem_is_told_with_its_place() -> None:
    text = '{"version":1,"workloads":[{"namespace":"a","kind":"Node"},{"namespace":"","kind":"Pod","name":"p"}]}'
    with pytest.raises(ConfigError) as caught:
        nettap.parse(text, "speedscale-nettap-targets")
    first, second, third = caught.value.problems
    assert "speedscale-nettap-targets: workloads[0]: kind: 'Node'" in first
    assert "workloads[0]: name: missing" in second
    assert "workloads[1]: namespace: expected 1 to 63 characters" in third


def test_no_json_is_said_to_be_none() -> None:
    with pytest.raises(ConfigError, match="expected JSON"):
        nettap.parse("{")


@pytest.mark.parametrize(
    ("labels", "owner", "made"),
    [
        ({}, ("", ""), []),
        (
            {"pod-template-hash": "7d4"},
            ("ReplicaSet", "cart-7d4"),
            [("ReplicaSet", "cart-7d4"), ("Deployment", "cart")],
        ),
        (
            {"rollouts-pod-template-hash": "7d4"},
            ("ReplicaSet", "cart-7d4"),
            [("ReplicaSet", "cart-7d4"), ("Rollout", "cart")],
        ),
        ({}, ("ReplicaSet", "cart-7d4"), [("ReplicaSet", "cart-7d4")]),
        ({"pod-template-hash": ""}, ("ReplicaSet", "cart-"), [("ReplicaSet", "cart-")]),
        ({}, ("StatefulSet", "db"), [("StatefulSet", "db")]),
        ({}, ("Job", "nightly-29012345"), [("Job", "nightly-29012345"), ("CronJob", "nightly")]),
        ({}, ("Job", "once"), [("Job", "once")]),
    ],
)
def test_a_pod_is_traced_to_what_made_it(
    labels: dict[str, str], owner: tuple[str, str], made: list[tuple[str, str]]
) -> None:
    assert nettap.makers("shop", "p", labels, *owner) == (
        Place("shop", "Pod", "p"),
        *(Place("shop", kind, name) for kind, name in made),
    )
