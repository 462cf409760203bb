"""What `speedctl nettap doctor` makes of what each node's ingest answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_controller.cli import nettap
from speedscale_kube import Ref
from speedscale_schemas.errors import PermanentError, TransientError

HELLO = {
    "kernel": "6.1.0-28-amd64",
    "hierarchy": "unified",
    "methods": {"tcp": {"source": "fentry", "why": "it loads here"}, "tls": {"source": "uprobe_perf_event", "why": ""}},
    "doctor": {
        "works": 1,
        "lockdown": "integrity",
        "probes": {"btf": {"works": 1}, "uprobe_multi": {"works": 0, "reason": "EINVAL", "advice": "kernel 6.6"}},
        "capabilities": {"BPF": 1, "SYS_ADMIN": 0},
    },
}
GOOD: dict[str, Any] = {
    "capture": {"connected": True, "hello": HELLO},
    "targets": [{"namespace": "shop", "pod": "cart-1"}],
    "refusedPods": [{"namespace": "shop", "pod": "pay-1", "reason": "sidecar"}],
    "tlsNotSeen": [{"process": "java", "where": "shop/cart-1"}],
    "problems": ["ConfigMap speedscale-nettap: no YAML"],
}


class Cluster:
    """A client whose pods answer as given: text, or an error."""

    def __init__(self, **answers: bytes | Exception) -> None:
        self.answers = answers
        self.pods = [{"metadata": {"name": name}, "spec": {"nodeName": f"node-{name}"}} for name in answers]

    def ref(self, pod: dict[str, Any]) -> Ref:
        return Ref("v1", "Pod", "speedscale", pod["metadata"]["name"])

    def ask(self, pod: Ref, port: int, path: str, *, max_bytes: int) -> bytes:
        assert (port, path) == (8080, "/config")
        answer = self.answers[pod.name]
        if isinstance(answer, Exception):
            raise answer
        return answer[:max_bytes]


def found(**answers: bytes | Exception) -> dict[str, dict[str, Any]]:
    cluster: Any = Cluster(**answers)
    return dict(nettap.asked(cluster, cluster.pods))


def test_a_node_that_captures_says_how_and_what() -> None:
    one = found(a=json.dumps(GOOD).encode())["node-a"]
    assert nettap.works(one)
    assert nettap.described("node-a", one).splitlines() == [
        "node-a",
        "  kernel 6.1.0-28-amd64, lockdown integrity; cgroups unified",
        "  tcp: by fentry: it loads here",
        "  tls: by uprobe_perf_event",
        "  no uprobe_multi: EINVAL -> kernel 6.6",
        "  without SYS_ADMIN",
        "  1 pods and cgroups are captured",
        "  not captured: pod shop/pay-1: sidecar",
        "  TLS of process java (shop/cart-1) cannot be seen",
        "  problem: ConfigMap speedscale-nettap: no YAML",
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PermanentError("Forbidden", "pods/proxy"), "no answer: Forbidden: pods/proxy"),
        (TransientError("it is away"), "no answer: "),
        (b"<html>", "no JSON"),
        (b"[]", "no object"),
        (json.dumps({**GOOD, "capture": {"connected": False, "hello": None}}).encode(), "capture is not connected"),
        (b"{}", "capture is not connected"),
    ],
)
def test_a_node_that_cannot_is_told_and_does_not_count_as_good(answer: bytes | Exception, said: str) -> None:
    one = found(a=answer)["node-a"]
    assert not nettap.works(one)
    assert said in nettap.described("node-a", one)


def test_a_kernel_that_allows_nothing_does_not_count_as_good() -> None:
    hello = {**HELLO, "doctor": {"works": 0}}
    one = found(a=json.dumps({**GOOD, "capture": {"connected": True, "hello": hello}}).encode())["node-a"]
    assert not nettap.works(one)
