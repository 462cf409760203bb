"""The check before an installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components import preinstall
from speedscale_manifests.values import from_mapping

Build = Callable[..., Any]
ON = {"preInstall": {"enabled": True}, "appUrl": "app.example.com"}
HOOK = "argocd.argoproj.io/hook"


def test_it_is_off_unless_asked_for() -> None:
    assert preinstall.enabled(from_mapping({})) is False
    assert preinstall.enabled(from_mapping(ON)) is True


def test_a_backend_of_this_installation_cannot_be_asked_before_it_exists() -> None:
    ours = {"preInstall": {"enabled": True}, "backend": {"enabled": True}}
    assert preinstall.enabled(from_mapping(ours)) is False
    assert preinstall.enabled(from_mapping({**ours, "appUrl": "elsewhere.example.com"})) is True


@pytest.mark.parametrize(("make", "phase"), [(True, "Sync"), (False, "PreSync")])
def test_it_runs_after_the_namespace_is_there(make: bool, phase: str, build: Build) -> None:
    """Nothing runs in a namespace that the same sync has yet to make."""
    for item in build(preinstall.COMPONENT, createNamespace=make, **ON).all:
        found = item["metadata"]["annotations"]
        assert found[HOOK] == phase
        assert found["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation,HookSucceeded"
        assert found["helm.sh/hook"] == "pre-install"


def test_the_policy_comes_before_the_job(build: Build) -> None:
    objects = build(preinstall.COMPONENT, **ON)
    assert [item["kind"] for item in objects.all] == ["NetworkPolicy", "Job"]
    weights = [int(item["metadata"]["annotations"]["helm.sh/hook-weight"]) for item in objects.all]
    assert weights == sorted(set(weights))


def test_it_is_as_the_chart_has_it(build: Build, container_of: Callable[..., Any], environment: Any) -> None:
    objects = build(
        preinstall.COMPONENT, **{**ON, "preInstall": {"enabled": True, "backoffLimit": 5, "maxAttempts": 3}}
    )
    job = objects.one("Job", "speedscale-operator-pre-install")
    assert job["spec"]["backoffLimit"] == 5
    assert job["spec"]["ttlSecondsAfterFinished"] == 30
    pod = objects.pod("Job")
    assert pod["restartPolicy"] == "Never"
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    box = container_of(pod, "speedscale-cli")
    assert box["command"] == ["speedctl"]
    assert box["args"] == ["doctor", "--pre", "--attempts", "3", "--retry-delay", "2"]
    assert box["envFrom"] == [{"secretRef": {"name": "speedscale-apikey", "optional": False}}]
    assert environment(box)["SPEEDSCALE_APP_URL"] == "https://app.example.com"


def test_it_goes_through_the_proxy(build: Build, container_of: Callable[..., Any], environment: Any) -> None:
    objects = build(preinstall.COMPONENT, https_proxy="http://proxy:3129", **ON)
    assert environment(container_of(objects.pod("Job")))["HTTPS_PROXY"] == "http://proxy:3129"
    open_ports = [port["port"] for rule in objects.one("NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert 3129 in open_ports
    assert 6443 not in open_ports


def test_kubernetes_takes_it(build: Build, problems: Callable[..., list[str]]) -> None:
    assert problems(build(preinstall.COMPONENT, image={"pullSecrets": ["r"]}, **ON).all) == []
