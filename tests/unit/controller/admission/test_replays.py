"""TrafficReplays at admission: completed sparingly, judged by key where a snapshot is at hand, never held."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.admission.replays import (
    MESSAGE_CHARACTERS,
    TrafficKeys,
    cannot,
    complete,
    concerns,
    judge,
)
from speedscale_controller.admission.review import Review
from speedscale_controller.telemetry.labels import Answer

KEYS = TrafficKeys(
    tests=("gateway:payments.shop.svc:8080", "gateway:cart.shop.svc:8080"),
    mocks=("payments:db.shop.svc:5432", "payments:api.bank.example.com:443", "payments:db2.shop.svc:5432"),
)


def review(spec: Any, *, old: Any = None, operation: str = "", **metadata: Any) -> Review:
    replay = {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": "a", "namespace": "shop", **metadata},
        "spec": spec,
    }
    return Review(
        uid="u",
        group="speedscale.com",
        version="v1",
        kind="TrafficReplay",
        namespace="shop",
        name="a",
        operation=operation or ("CREATE" if old is None else "UPDATE"),
        sub_resource="",
        dry_run=False,
        object=replay,
        old=None if old is None else {**replay, **old},
    )


def spec(**more: Any) -> dict[str, Any]:
    return {"snapshotID": "s", "testConfigID": "standard", **more}


def workloads(*pairs: tuple[list[str], list[str]]) -> dict[str, Any]:
    made = [
        {"ref": {"name": f"w{number}"}, "tests": tests, "mocks": mocks} for number, (tests, mocks) in enumerate(pairs)
    ]
    return spec(workloads=made)


def refusal(given: Any, keys: TrafficKeys | None = KEYS, **more: Any) -> str:
    return judge(review(given, **more), lambda namespace, snapshot: keys).response.refusal


def test_only_the_mode_is_filled_in() -> None:
    answered = complete(review(spec(workloads=[{"ref": {"name": "a"}}])))
    assert answered.response.patch == ({"op": "add", "path": "/spec/mode", "value": "full-replay"},)
    assert answered.answer is Answer.PATCHED
    assert complete(review(spec(mode="responder-only"))).response.patch == ()


@pytest.mark.parametrize("given", [None, "text", [], 5])
def test_what_is_no_spec_is_left_to_validation(given: Any) -> None:
    assert complete(review(given)).response.patch == ()
    assert refusal(given)


def test_an_ending_replay_is_let_be() -> None:
    broken = review({"mode": "nonsense"}, deletionTimestamp="2026-01-31T00:00:00Z")
    assert judge(broken, lambda *_: KEYS).response.refusal == ""
    assert complete(review({}, deletionTimestamp="2026-01-31T00:00:00Z")).response.patch == ()


def test_an_update_that_leaves_the_spec_alone_passes() -> None:
    """Else a finalizer could never come off what an older version let in."""
    assert refusal({"mode": "nonsense"}, old={}) == ""
    assert "mode" in refusal({"mode": "nonsense"}, old={"spec": spec()})


def test_what_concerns_us() -> None:
    assert concerns(review(spec()))
    assert not concerns(review(spec(), operation="DELETE"))
    assert not concerns(review(spec(), operation="CONNECT"))


def test_an_unknown_key_names_its_neighbours() -> None:
    told = refusal(workloads((["paymets.shop.svc:8080"], [])))
    assert "spec.workloads[0].tests[0]: 'paymets.shop.svc:8080' is no key of the snapshot's tests" in told
    assert "gateway:payments.shop.svc:8080" in told


def test_an_ambiguous_key_names_all_it_fits() -> None:
    told = refusal(workloads(([], ["payments:db"])))
    assert "fits 2 keys: payments:db.shop.svc:5432, payments:db2.shop.svc:5432" in told


def test_a_part_that_fits_one_key_is_enough() -> None:
    assert refusal(workloads((["payments.shop"], ["bank", "*"]))) == ""


def test_a_test_is_claimed_once_however_it_is_spelt() -> None:
    told = refusal(workloads((["gateway:cart.shop.svc:8080"], []), (["cart"], [])))
    assert "spec.workloads[1].tests[0]: gateway:cart.shop.svc:8080 is claimed by spec.workloads[0] already" in told
    assert refusal(workloads((["*"], []), ([], ["*"]))) == ""
    assert refusal(workloads((["*"], []), (["cart"], []))) == ""  # all that is left
    assert "under tests of one workload only" in refusal(workloads((["*"], []), (["*"], [])))


def test_an_empty_snapshot() -> None:
    assert "the snapshot has no tests" in refusal(workloads((["a"], [])), TrafficKeys((), ()))


def test_a_snapshot_that_is_not_at_hand_is_judged_later() -> None:
    assert refusal(workloads((["anything"], ["at all"])), None) == ""


def test_the_message_is_bounded() -> None:
    many = [f"{'k' * 240}{number}" for number in range(32)]
    told = refusal(workloads((many, [])))
    assert len(told) == MESSAGE_CHARACTERS
    assert told.endswith("…")


def test_warnings() -> None:
    given = spec(cleanup="all", collectLogs=True, workloads=[{"ref": {"name": "a"}, "inTrafficKey": "k"}])
    warnings = judge(review(given), lambda *_: None).response.warnings
    assert [text.partition(" ")[2][:40] for text in warnings] == [
        "cleanup: all deletes the workload under ",
        "spec.collectLogs is deprecated: logs are",
        "spec.workloads[0].inTrafficKey is deprec",
    ]


def test_what_cannot_be_judged_is_refused() -> None:
    answered = cannot("too many reviews at once", 503, Answer.BUSY)
    assert answered.response.refusal == "speedscale could not judge this TrafficReplay: too many reviews at once"
