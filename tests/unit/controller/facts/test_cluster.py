"""What a cluster can, in one way for admission and for who asks it from outside."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.facts import cluster_of


def node(version: str | None, **labels: str) -> dict[str, Any]:
    status = {} if version is None else {"nodeInfo": {"kubeletVersion": version}}
    return {"metadata": {"name": "n", "labels": labels}, "status": status}


@pytest.mark.parametrize(
    ("nodes", "native"),
    [
        ([], None),
        ([node("v1.34.4")], True),
        ([node("v1.34.4"), node("v1.28.0")], False),
        ([node("v1.34.4"), node(None)], True),  # one that joins says nothing yet
        ([node(None)], None),
        ([node("v1.34.4"), node("v1.10.0", type="virtual-kubelet")], True),
    ],
)
def test_native_sidecars_need_every_kubelet(nodes: list[dict[str, Any]], native: bool | None) -> None:
    found = cluster_of("v1.34.4", nodes)
    assert (found.version, found.native_sidecars) == ((1, 34), native)
    assert cluster_of("v1.28.9", [node("v1.34.4")]).native_sidecars is False
