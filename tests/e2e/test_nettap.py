"""Capture without a sidecar: of two shops with the same traffic, nettap's pairs are those of the other one's sidecar.

The one that nettap captures was there before: it is asked for while it runs, and is not restarted.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import story
from shop import CAPTURED, VISIT, Shop, opened, visit
from whole import NAMESPACE, Whole, ready

from speedscale_kube import Object, Ref

ASKED = {"capture.speedscale.com/enabled": "true"}
TAPPED, SIDED = "shop-n", "shop-s"  # of one length: what counts bytes counts the same
OTHERWISE = ("ts", "duration", "netinfo", "uuid", "tags")
"""Fields that tell when and how a pair was seen, not what it is."""
CUSTOMERS = 5


@pytest.fixture(scope="module")
def tapping(installed: Whole) -> Iterator[Whole]:
    """nettap on the node."""
    installed.upgrade("nettap on", "ebpf: {enabled: true}\n")
    installed.until(lambda: [ready(pod) for pod in nettaps(installed)] == ["2/2"], "nettap is ready", 180.0)
    yield installed
    installed.upgrade("nettap off", "")
    installed.until(lambda: not nettaps(installed), "nettap is gone", 120.0)


@pytest.fixture(scope="module")
def shops(tapping: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Shop]]:
    """A shop without and one with a sidecar, each with one that it is paid by."""
    folders = [tmp_path_factory.mktemp("load") for _ in range(2)]
    with (
        opened(tapping, folders[0], "tapped", TAPPED, lambda shop: shop.pays("charges"), annotations={}) as plain,
        opened(tapping, folders[1], "beside", SIDED, lambda shop: shop.pays("charges")) as beside,
    ):
        assert beside.annotations == CAPTURED
        yield plain, beside


def nettaps(whole: Whole) -> list[Object]:
    return whole.pods(NAMESPACE, "app=speedscale-nettap")


def test_pairs_without_a_sidecar_are_those_with_one(shops: tuple[Shop, Shop]) -> None:
    tapped, beside = shops
    before = tapped.pod()["metadata"]
    assert [one["name"] for one in tapped.pod()["spec"]["containers"]] == [TAPPED], "there is no sidecar"
    assert tapped.ask(visit(tapped.url, "early")).split() == VISIT
    asked = {"metadata": {"annotations": ASKED}}
    tapped.whole.kube.patch(tapped.ref, asked, "tests")
    tapped.whole.until(lambda: targets(tapped.whole) == [TAPPED], "it is a target", 120.0)
    tapped.whole.until(lambda: bool(probed(tapped)), "its traffic is seen", 120.0)

    said = tapped.whole.shell("speedctl nettap doctor")
    assert "1 pods and cgroups are captured" in said
    assert re.search("tcp: by (fentry|tracepoint|kprobe): ", said), said

    for number in range(CUSTOMERS):
        for one in shops:
            assert one.ask(visit(one.url, f"c-{number}")).split() == VISIT
    beside.settled()
    wanted = pairs(beside)
    tapped.whole.until(lambda: len(pairs(tapped)) >= len(wanted), "all of it is at the backend", 120.0)

    assert [key(one) for one in pairs(tapped)] == [key(one) for one in wanted]
    found = [same(tapped.whole, one) for one in pairs(tapped)]
    for got, of_sidecar in zip(found, [same(beside.whole, one) for one in wanted], strict=True):
        assert got == of_sidecar
    assert tapped.pod()["metadata"]["uid"] == before["uid"], "the pod is the same as before"
    assert not [one for one in tapped.stored() if "/early" in one.get("location", "")], (
        "nothing before it was asked for"
    )


def targets(whole: Whole) -> list[str]:
    """Return the workloads that nettap is told to capture."""
    found = whole.kube.find(Ref("v1", "ConfigMap", NAMESPACE, "speedscale-nettap-targets")) or {}
    text = (found.get("data") or {}).get("targets.json") or "{}"
    return [one["name"] for one in json.loads(text).get("workloads", ())]


def probed(shop: Shop) -> list[Object]:
    """Ask once and return what of such asking is at the backend."""
    shop.ask(f"curl -s -m 20 -o /dev/null {shop.url}/api/customers/probe")
    return [one for one in shop.stored() if "/probe" in one.get("location", "")]


def pairs(shop: Shop) -> list[Object]:
    """Return what is stored of the customers' visits, in an order that does not hang on when it came."""
    found = [
        one for one in shop.stored() if key(one)[1].startswith(("/api/customers/c-", "/api/orders", "/v1/charges"))
    ]
    return sorted(found, key=lambda one: (key(one), one["ts"]))


def key(one: Object) -> tuple[str, str, str]:
    return one["direction"], one["location"], one["command"]


def same(whole: Whole, one: Object) -> Any:
    """Return a whole pair without what differs between any two recordings, and under one name for both shops."""
    pair = story.pair(whole, one)
    kept = {name: value for name, value in pair.items() if name not in OTHERWISE}
    kept["http"]["res"]["headers"].pop("Date")  # the server's clock
    kept["signature"] = {name: base64.b64decode(value).decode() for name, value in kept["signature"].items()}
    text = json.dumps(kept, sort_keys=True).replace(pair["uuid"], "")  # the list of tokens has it, too
    for name in (TAPPED, SIDED, "tapped", "beside"):
        text = text.replace(name, "shop")
    return json.loads(text)
