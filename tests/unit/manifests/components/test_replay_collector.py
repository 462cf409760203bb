"""The collector's rights: reading, where replays run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_manifests.components.replay_collector import COMPONENT

Build = Callable[..., Any]
WANTED = {
    *(("", resource, verb) for resource in ("pods", "events") for verb in ("get", "list", "watch")),
    ("", "pods/log", "get"),
    ("metrics.k8s.io", "pods", "get"),
    ("metrics.k8s.io", "pods", "list"),
}


def test_it_reads_and_nothing_else(build: Build, rights: Build, problems: Build) -> None:
    objects = build(COMPONENT)
    assert rights([objects.one("ClusterRole")]) == WANTED
    assert problems(objects.identity) == []


def test_in_selected_namespaces_only(build: Build, rights: Build) -> None:
    objects = build(COMPONENT, namespaceSelector=["shop"])
    assert objects.none("ClusterRole")
    assert objects.none("ClusterRoleBinding")
    assert rights([objects.one("Role", namespace="shop")]) == WANTED
    assert rights([objects.one("Role", namespace="speedscale")]) == WANTED
