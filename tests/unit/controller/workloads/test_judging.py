"""What healing makes of a verdict, and which workloads it keeps in memory."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from speedscale_controller.bundle import Bundle
from speedscale_controller.injection import (
    Cluster,
    Facts,
    Inject,
    Installation,
    Leave,
    Namespace,
    Reason,
    Remove,
    Skip,
    decide,
)
from speedscale_controller.telemetry import Metrics
from speedscale_controller.workloads.counting import Counting, Place
from speedscale_controller.workloads.judging import Act, Judgement, judge
from speedscale_controller.workloads.watched import kept
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

INJECT = {"sidecar.speedscale.com/inject": "true"}


@functools.cache
def template(tree: str) -> Any:
    return Bundle.read(bundle(from_mapping(json.loads(tree)))).sidecar


def facts(**tree: Any) -> Facts:
    return Facts(
        template=template(json.dumps(tree)),
        installation=Installation(namespace="speedscale", instance_id="one"),
        namespace=Namespace(name="shop"),
        cluster=Cluster(version=(1, 34)),
    )


def workload(**annotations: str) -> dict[str, Any]:
    named = {f"sidecar.speedscale.com/{name.replace('_', '-')}": text for name, text in annotations.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": named},
        "spec": {
            "selector": {"matchLabels": {"app": "cart"}},
            "template": {
                "metadata": {"labels": {"app": "cart"}},
                "spec": {"containers": [{"name": "app", "image": "cart:1"}]},
            },
        },
    }


def injected(**annotations: str) -> dict[str, Any]:
    verdict = decide(workload(inject="true", **annotations), facts(), operation="UPDATE")
    assert isinstance(verdict, Inject), verdict
    return verdict.object


def judged(obj: dict[str, Any], known: Facts, **options: bool) -> Judgement:
    given = {"under_replay": False, "asked_anew": False, **options}
    return judge(obj, decide(obj, known, operation="UPDATE"), **given)


def test_what_is_as_it_should_be() -> None:
    assert judged(injected(), facts()) == Judgement(Act.NOTHING, injected=True)
    assert judged(workload(), facts()).act is Act.NOTHING


def test_what_was_missed_is_mended() -> None:
    found = judged(workload(inject="true"), facts())
    assert (found.act, found.reason) == (Act.MEND, "missed")
    assert found.target == injected()
    gone = injected()
    gone["metadata"]["annotations"].pop("sidecar.speedscale.com/inject")
    out = judged(gone, facts())
    assert (out.act, out.reason, out.injected) == (Act.MEND, "not_asked", False)


@pytest.mark.parametrize("annotation", [{"proxy-in-port": "4999"}, {"proxy-type": "dual"}, {"tls-out": "true"}])
def test_a_setting_that_was_missed_is_mended(annotation: dict[str, str]) -> None:
    obj = injected()
    obj["metadata"]["annotations"] |= {f"sidecar.speedscale.com/{name}": text for name, text in annotation.items()}
    assert judged(obj, facts()).act is Act.MEND


def test_another_bundle_is_stale_and_never_restarts_pods() -> None:
    newer = facts(imageTags={"goproxy": "v9"})
    found = judged(injected(), newer)
    assert found.act is Act.STALE
    assert found.target is None
    assert "v9" in found.message
    assert "kubectl rollout restart deployment/cart -n shop" in found.message
    assert judged(injected(), facts(logLevel="debug")).act in (Act.STALE, Act.NOTHING)


def test_annotations_that_changed_while_we_watched_win_over_stale() -> None:
    obj = injected()
    obj["metadata"]["annotations"]["sidecar.speedscale.com/cpu-request"] = "50m"
    assert judged(obj, facts()).act is Act.STALE
    assert judged(obj, facts(), asked_anew=True).act is Act.MEND


def test_an_earlier_installations_sidecar_is_listed_and_goes_when_nobody_asks_for_it() -> None:
    obj = workload(inject="true")
    proxy = {
        "name": "speedscale-goproxy",
        "image": "vendor/goproxy:v2",
        "env": [{"name": "PROXY_TYPE", "value": "other"}],
    }
    obj["spec"]["template"]["spec"]["containers"].append(proxy)
    found = judged(obj, facts())
    assert found.act is Act.STALE
    assert "vendor/goproxy:v2" in found.message
    assert "earlier installation" in found.message
    obj["metadata"]["annotations"] = {}
    gone = judged(obj, facts())
    assert (gone.act, gone.reason) == (Act.MEND, "not_asked")
    assert gone.target is not None
    assert [c["name"] for c in gone.target["spec"]["template"]["spec"]["containers"]] == ["app"]


def test_a_replay_keeps_healing_away() -> None:
    assert judged(workload(inject="true"), facts(), under_replay=True).act is Act.REPLAY
    under = workload(inject="true")
    under["metadata"]["labels"] = {"replay.speedscale.com/env-id": "abstract-yucca"}
    assert judged(under, facts()).act is Act.REPLAY


def test_a_refusal_is_told() -> None:
    obj = workload(inject="true")
    obj["spec"]["template"]["spec"]["hostNetwork"] = True
    found = judged(obj, facts())
    assert (found.act, found.reason) == (Act.SKIP, "host_network")
    removed = judge(obj, Remove(obj, (), Reason.QUOTA, "no room"), under_replay=False, asked_anew=False)
    assert (removed.act, removed.reason, removed.message) == (Act.MEND, "quota", "no room")
    assert judge(obj, Leave(), under_replay=False, asked_anew=False).act is Act.NOTHING
    assert judge(obj, Skip(Reason.IGNORED, "x"), under_replay=False, asked_anew=False).reason == "ignored"


def test_what_is_kept() -> None:
    assert kept(workload()) is None
    asks = kept(workload(inject="true"))
    assert asks is not None
    there = kept(injected())
    assert there is not None
    assert (asks.asks, asks.pods) != (there.asks, there.pods)
    assert asks.asks == there.asks, "what we write ourselves is no request"
    owned = workload(inject="true")
    owned["metadata"]["ownerReferences"] = [{"controller": True, "kind": "Rollout"}]
    assert kept(owned) is None
    leftover = injected()
    leftover["metadata"]["annotations"] = {}
    assert kept(leftover) is not None
    busy = copy.deepcopy(workload(inject="true"))
    busy["status"] = {"replicas": 7}
    busy["spec"]["replicas"] = 9
    assert kept(busy) == asks, "status and replicas wake nobody"


def test_counting() -> None:
    metrics = Metrics(CollectorRegistry())
    counting = Counting(metrics)
    place = Place("Deployment", "shop", "cart")

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"speedscale_operator_workloads_{name}_objects", labels)

    counting.note(place, Judgement(Act.SKIP, reason="quota"))
    assert value("skipped", kind="Deployment", reason="quota") == 1
    counting.note(place, Judgement(Act.STALE, injected=True))
    assert value("skipped", kind="Deployment", reason="quota") == 0
    assert (value("injected", kind="Deployment"), value("stale", kind="Deployment")) == (1, 1)
    counting.forget(place)
    assert (value("injected", kind="Deployment"), value("stale", kind="Deployment")) == (0, 0)
    assert counting.news(place, "a")
    assert not counting.news(place, "a")
    assert counting.news(place, "b")
    counting.news(place, "")
    assert counting.news(place, "b")
