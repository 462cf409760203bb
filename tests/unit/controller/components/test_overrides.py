"""What each key of the override changes in managed objects; without one nothing changes, to the byte."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from speedscale_controller.bundle import Bundle
from speedscale_controller.components.desired import desired, without_override
from speedscale_controller.components.overrides import CONFIG_HASH, TABLE, Wish, containers, overridden, pod_template
from speedscale_controller.drift import STAMP
from speedscale_controller.settings import Settings
from speedscale_kube import Object
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.operator_config import operator_config
from speedscale_manifests.values import from_mapping
from speedscale_schemas.overrides import COMPONENT_KEYS

TREE: dict[str, Any] = {"profile": "operator", "ebpf": {"enabled": True}}
GIT: dict[str, str] = dict(operator_config(from_mapping(TREE))["data"])
BUNDLE = Bundle.read(bundle(from_mapping(TREE)))


def settings(**override: str) -> Settings:
    return Settings.parse({**GIT, **override, "POD_NAME": "p", "POD_NAMESPACE": "speedscale"})


def made(component: str, **override: str) -> dict[str, Object]:
    wish = Wish(component, settings(), settings(**override))
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in overridden(BUNDLE.managed(component), wish)}


def pods(objects: dict[str, Object]) -> Iterator[Object]:
    return (container for one in objects.values() for container in containers(one))


def variables(objects: dict[str, Object], name: str) -> set[str]:
    return {v["value"] for c in pods(objects) for v in c.get("env") or () if v["name"] == name}


@pytest.mark.parametrize("component", BUNDLE.components)
def test_without_an_override_nothing_changes(component: str) -> None:
    before = copy.deepcopy(BUNDLE.managed(component))
    assert tuple(made(component).values()) == before
    made(component, IMAGE_TAG="v9", LOG_LEVEL="debug", GLOBAL_LABELS='{"a":"b"}')
    assert BUNDLE.managed(component) == before, "the bundle itself was changed"


@pytest.mark.parametrize("component", BUNDLE.components)
def test_images(component: str) -> None:
    assert all(c["image"].endswith(":v9") for c in pods(made(component, IMAGE_TAG="v9")))
    assert all(c["image"].startswith("mirror/x/") for c in pods(made(component, IMAGE_REGISTRY="mirror/x")))
    assert {c["imagePullPolicy"] for c in pods(made(component, IMAGE_PULL_POLICY="IfNotPresent"))} == {"IfNotPresent"}


def test_a_tag_of_one_image_and_a_digest() -> None:
    found = made("forwarder", COMPONENT_IMAGE_TAGS="forwarder=v3,inspector=v4")
    assert {c["image"] for c in pods(found)} == {"localhost/speedscale/forwarder:v3"}
    digest = "sha256:" + "0" * 64
    values = from_mapping({**TREE, "imageDigests": {"forwarder": digest}})
    pinned = Bundle.read(bundle(values)).managed("forwarder")
    kept = overridden(pinned, Wish("forwarder", settings(), settings(LOG_LEVEL="debug")))
    assert all(c["image"].endswith(digest) for one in kept for c in containers(one))
    moved = overridden(pinned, Wish("forwarder", settings(), settings(IMAGE_REGISTRY="m")))
    assert all(c["image"] == f"m/forwarder@{digest}" for one in moved for c in containers(one))
    changed = overridden(pinned, Wish("forwarder", settings(), settings(IMAGE_TAG="v9")))
    assert all(c["image"].endswith("/forwarder:v9") for one in changed for c in containers(one))


def test_pull_secrets() -> None:
    (one,) = (o for o in made("inspector", IMAGE_PULL_SECRETS="a,b").values() if o["kind"] == "Deployment")
    assert pod_template(one)["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_settings_of_the_forwarder_roll_its_pods() -> None:
    before = made("forwarder")
    for key, value in (("LOG_LEVEL", "debug"), ("SPEEDSCALE_FILTER_RULE", "mine"), ("SPEEDSCALE_DLP_CONFIG", "mine")):
        after = made("forwarder", **{key: value})
        assert after["ConfigMap/speedscale-forwarder"]["data"][key] == value
        hashes = [
            pod_template(found["Deployment/speedscale-forwarder"])["metadata"]["annotations"][CONFIG_HASH]
            for found in (before, after)
        ]
        assert hashes[0] != hashes[1]
    off = made("forwarder", WITH_DLP="false")
    assert off["ConfigMap/speedscale-forwarder"]["data"]["WITH_DLP"] == "false"


def test_sizes() -> None:
    resources = '{"replicas":1,"resources":{"limits":{"cpu":"3"}}}'
    assert [c["resources"] for c in pods(made("forwarder", FORWARDER_CONFIG=resources))] == [{"limits": {"cpu": "3"}}]
    access = '{"resources":{"limits":{"cpu":"1"}},"accessLabels":{"team":"a&b"}}'
    found = made("inspector", INSPECTOR_CONFIG=access)
    assert variables(found, "ACCESS_LABELS") == {'{"team":"a\\u0026b"}'}
    assert variables(made("inspector", LOG_LEVEL="debug", CLUSTER_NAME="c2"), "CLUSTER_NAME") == {"c2"}


def test_proxies() -> None:
    found = made("forwarder", HTTPS_PROXY="http://proxy:3128")
    assert variables(found, "HTTPS_PROXY") == {"http://proxy:3128"}
    assert variables(made("demo", HTTPS_PROXY="http://proxy:3128"), "HTTPS_PROXY") == set()


def test_labels_annotations_and_contexts() -> None:
    found = made("inspector", GLOBAL_LABELS='{"team":"a","app":"mine"}', GLOBAL_ANNOTATIONS='{"note":"n"}')
    one = found["Deployment/speedscale-inspector"]
    for metadata in (one["metadata"], pod_template(one)["metadata"]):
        assert metadata["labels"]["team"] == "a"
        assert metadata["labels"]["app"] == "speedscale-inspector", "a selector's label is ours"
        assert metadata["annotations"]["note"] == "n"
    assert "team" not in found["NetworkPolicy/speedscale-inspector"]["metadata"]["labels"]
    own = {c["name"]: c["securityContext"] for c in pods(made("nettap")) if c.get("securityContext")}
    changed = made("nettap", GLOBAL_POD_SECURITY_CONTEXT='{"runAsUser":7}')
    privileged = {name for name, context in own.items() if "BPF" in str(context)}
    assert privileged
    assert all(c["securityContext"] == own[c["name"]] for c in pods(changed) if c["name"] in privileged)
    plain = made("inspector", GLOBAL_POD_SECURITY_CONTEXT='{"runAsUser":7}')
    assert [c["securityContext"] for c in pods(plain)] == [{"runAsUser": 7}]


def test_every_component_key_has_a_row_or_is_a_templates() -> None:
    carried = {key for keys, _ in TABLE for key in keys} | {"WITH_INSPECTOR", "DEPLOY_DEMO"}
    of_templates = {f"{name}_CONFIG" for name in ("COLLECTOR", "GENERATOR", "RESPONDER", "REDIS", "SIDECAR")}
    assert carried | of_templates | {"PRIVILEGED_SIDECARS", "DISABLE_SMARTDNS"} >= COMPONENT_KEYS


@pytest.mark.parametrize(
    ("component", "override", "words"),
    [
        ("forwarder", {"FORWARDER_CONFIG": '{"replicas":3}'}, "forwarder.replicas"),
        ("forwarder", {"FORWARDER_CONFIG": '{"replicas":1,"exporters":{"x":{}}}'}, "forwarder.exporters"),
        ("demo", {"DEPLOY_DEMO": "java"}, ""),
    ],
)
def test_what_cannot_be_carried_is_told(component: str, override: dict[str, str], words: str) -> None:
    found = desired(component, BUNDLE, settings(), settings(**override))
    assert any(words in problem for problem in found.problems) if words else not found.problems
    assert found.wanted


def test_switches_and_stamps() -> None:
    assert not desired("inspector", BUNDLE, settings(), settings(WITH_INSPECTOR="false")).wanted
    assert not desired("demo", BUNDLE, settings(), settings(DEPLOY_DEMO="")).wanted
    smaller = Bundle.read(bundle(from_mapping({**TREE, "deployDemo": "", "ebpf": {"enabled": False}})))
    absent = desired("demo", smaller, settings(DEPLOY_DEMO=""), settings())
    assert absent.unsure
    assert "turn it on in the values" in absent.problems[0]
    gone = desired("nettap", smaller, settings(), settings())
    assert (gone.wanted, gone.unsure, gone.objects) == (False, False, ())
    stamps = {one["metadata"]["annotations"][STAMP] for one in desired("demo", BUNDLE, settings(), settings()).objects}
    assert all(stamp.startswith("demo/") for stamp in stamps)
    assert len(stamps) == len(BUNDLE.managed("demo"))


def test_profile_gitops_takes_the_bundle_as_it_is() -> None:
    now = settings(PROFILE="gitops", IMAGE_TAG="v9", WITH_INSPECTOR="false")
    found = desired("inspector", BUNDLE, settings(PROFILE="gitops"), now)
    assert found.objects == tuple(BUNDLE.managed("inspector"))


def test_settings_without_the_override() -> None:
    now = settings(IMAGE_TAG="v9")
    assert without_override(GIT, now) == settings()
    assert without_override(None, now) is now
    assert without_override({**GIT, "PROFILE": "nonsense"}, now) is now
