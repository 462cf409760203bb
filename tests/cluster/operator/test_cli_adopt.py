"""`speedctl infra adopt`: sidecars of an operator that is gone are taken over, and those of one that runs are not."""

from __future__ import annotations

import json

import pytest
from harness.cluster import Cluster
from harness.operator import Installation
from harness.workloads import INJECT, create, deployment

from speedscale_kube import Client, Ref
from speedscale_runtime.cli.root import main

pytestmark = pytest.mark.integration
MANAGED_BY = "operator.speedscale.com/managed-by"


def test_what_a_gone_operator_managed_is_taken_over(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    which = Ref("apps/v1", "Deployment", namespace, "cart")

    def managed_by() -> str:
        return str((kube.get(which)["metadata"].get("annotations") or {}).get(MANAGED_BY, ""))

    def adopt(instance: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["infra", "adopt", instance, "--kubeconfig", str(cluster.kubeconfig), "-o", "json"])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    create(cluster, deployment("cart", namespace, **INJECT, **{MANAGED_BY: "a-gone-one"}))
    assert managed_by() == "a-gone-one"
    code, _, err = adopt("two words")
    assert code == 2
    assert "one word" in err
    code, out, err = adopt("a-gone-one")
    assert code == 0, err
    said = json.loads(out)
    assert said["adopted"] == ["a-gone-one"]
    operator.until(lambda: managed_by() == said["instanceId"], "the operator takes it over")
    code, out, _ = adopt("a-gone-one")
    assert (code, json.loads(out)) == (0, said), "again changes nothing"
