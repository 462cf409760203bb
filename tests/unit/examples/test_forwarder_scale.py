"""The example of forwarders that scale: names of objects and metrics are those that exist."""

from __future__ import annotations

from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from speedscale_manifests.components import forwarder
from speedscale_manifests.objects import names
from speedscale_manifests.values import from_mapping
from speedscale_runtime.forwarder.metrics import Metrics

EXAMPLE = Path(__file__).parents[3] / "examples" / "forwarder-scale"


def test_the_autoscaler_scales_what_is_installed_by_a_metric_that_is_there() -> None:
    hpa = yaml.safe_load((EXAMPLE / "hpa.yaml").read_text())
    values = from_mapping({"forwarder": {"replicas": 2}})
    workloads = [o for o in forwarder.managed(values) if o["kind"] in ("StatefulSet", "Deployment")]
    target = hpa["spec"]["scaleTargetRef"]
    assert [(o["kind"], o["metadata"]["name"]) for o in workloads] == [(target["kind"], target["name"])]
    assert target["name"] == names.FORWARDER
    registry = CollectorRegistry()
    Metrics(registry)
    known = {metric.name for metric in registry.collect()}
    custom = [m["pods"]["metric"]["name"] for m in hpa["spec"]["metrics"] if m["type"] == "Pods"]
    rules = yaml.safe_load((EXAMPLE / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert custom == [rule["name"]["as"] for rule in rules]
    assert set(custom) <= known
    ignored = yaml.safe_load((EXAMPLE / "ignore-replicas.yaml").read_text())["spec"]["ignoreDifferences"]
    assert [(i["kind"], i["name"]) for i in ignored] == [(target["kind"], target["name"])]
