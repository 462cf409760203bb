"""Objects become fields that say the same for the same meaning, and that hold no secret and no script."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.parity.flatten import facts_of, fields_of

POD = "spec.template.spec"


def deployment(**container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "speedscale", "labels": {"app": "shop", "example.com/tier": "web"}},
        "spec": {"template": {"spec": {"containers": [{"name": "main", **container}]}}},
    }


def configmap(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def container_fields(**container: Any) -> dict[str, Any]:
    prefix = f"{POD}.containers[main]."
    found = fields_of(deployment(**container))
    return {path.removeprefix(prefix): value for path, value in found.items() if path.startswith(prefix)}


def test_names_with_dots_and_slashes_stand_in_brackets() -> None:
    assert fields_of(deployment())["metadata.labels[example.com/tier]"] == "web"
    assert fields_of(deployment())["metadata.labels.app"] == "shop"


def test_environment_is_by_name() -> None:
    found = container_fields(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}])
    assert found == {"env[A].value": "1", "env[B].value": "2"}


def test_the_order_of_env_sources_is_a_field() -> None:
    sources = [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]
    one, other = container_fields(envFrom=sources), container_fields(envFrom=sources[::-1])
    assert one.pop("envFrom#order") == ["configMapRef:a", "secretRef:b"]
    assert other.pop("envFrom#order") == ["secretRef:b", "configMapRef:a"]
    assert one == other


def test_commands_keep_their_order_and_capabilities_do_not() -> None:
    assert container_fields(command=["b", "a"]) == {"command": ["b", "a"]}
    capabilities = {"capabilities": {"drop": ["ALL"], "add": ["Y", "X"]}}
    assert container_fields(securityContext=capabilities) == {
        "securityContext.capabilities.drop[ALL]": True,
        "securityContext.capabilities.add[X]": True,
        "securityContext.capabilities.add[Y]": True,
    }


def test_two_items_of_one_identity_are_told_apart() -> None:
    mounts = [{"mountPath": "/d", "name": "a"}, {"mountPath": "/d", "name": "b"}]
    assert container_fields(volumeMounts=mounts) == {"volumeMounts[/d].name": "a", "volumeMounts[/d#2].name": "b"}


def test_service_ports_are_by_number_and_container_ports_by_name() -> None:
    assert container_fields(ports=[{"name": "web", "containerPort": 80}])["ports[web].containerPort"] == 80
    service = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"name": "web", "port": 80}]}}
    assert fields_of(service) == {
        "spec.ports[80].port": 80,
        "spec.ports[80].name": "web",
        "spec.ports[80].targetPort": 80,
    }


def test_json_and_yaml_in_a_configmap_are_parsed() -> None:
    found = fields_of(configmap(CONFIG='{"b": {"c": [1, 2]}, "a": "x"}', **{"config.yaml": "k:\n  l: true\n"}))
    assert found["data[CONFIG].a"] == "x"
    assert found["data[CONFIG].b.c[2]"] is True
    assert found["data[config.yaml].k.l"] is True


@pytest.mark.parametrize("text", ["{not json", "[", "plain", ""])
def test_what_is_not_json_stays_text(text: str) -> None:
    assert fields_of(configmap(K=text))["data[K]"] == text


def test_an_empty_object_is_told_from_an_absent_key() -> None:
    assert fields_of(configmap(K="{}"))["data[K]"] == {}
    assert "data[K]" not in fields_of(configmap())


def test_an_object_of_absent_members_only_is_empty() -> None:
    assert fields_of(configmap(K='{"resources": {}, "x": null}')) == fields_of(configmap(K="{}"))


def test_lists_in_text_are_sets() -> None:
    one = fields_of(configmap(NAMESPACE_SELECTOR="shop,pay"))
    assert one == fields_of(configmap(NAMESPACE_SELECTOR="pay,shop"))


def test_generated_values_are_not_kept() -> None:
    uid = "0e6a4b52-7a0c-4a31-9d4e-0a4a8f1f6b8d"
    assert fields_of(configmap(INSTANCE_ID=f"test-{uid}"))["data[INSTANCE_ID]"] == "test-(uuid)"
    hook = {"name": "x", "clientConfig": {"caBundle": "TUlJ"}}
    webhook = {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "w"}, "webhooks": [hook]}
    assert fields_of(webhook) == {"webhooks[x].clientConfig.caBundle": "(generated)"}


@pytest.mark.parametrize("key", ["data", "stringData"])
def test_secrets_are_hidden(key: str) -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "type": "Opaque",
        key: {"KEY": "c2VjcmV0", "JSON": '{"a": 1}'},
    }
    assert fields_of(secret) == {"type": "Opaque", "data[KEY]": "(hidden)", "data[JSON]": "(hidden)"}


def test_of_a_script_only_the_hash_is_kept() -> None:
    one, other = (container_fields(args=[f"set -e\n{line}\n"])["args"][0] for line in ("a", "b"))
    assert one.startswith("(script ")
    assert one != other
    assert one == container_fields(args=["set -e\na"])["args"][0]


def test_admission_rules_are_expanded() -> None:
    rule = {"apiGroups": ["apps", ""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    webhook = {"kind": "W", "metadata": {"name": "w"}, "webhooks": [{"name": "x", "rules": [rule, rule]}]}
    assert fields_of(webhook) == {
        "webhooks[x].rules[CREATE apps/v1/pods]": True,
        "webhooks[x].rules[CREATE core/v1/pods]": True,
    }


def test_a_custom_resource_schema_is_facets_without_descriptions() -> None:
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "description": "Deprecated: said elsewhere.",
                "properties": {"mode": {"type": "string", "enum": ["a", "b"], "description": "replaces deprecated x"}},
            },
            "list": {"type": "array", "items": {"type": "string"}},
        },
    }
    spec = {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}]}
    found = fields_of({"kind": "CustomResourceDefinition", "metadata": {"name": "c"}, "spec": spec})
    assert found == {
        "spec.versions[v1].subresources[status]": True,
        "schema[v1]#type": "object",
        "schema[v1].spec#required": True,
        "schema[v1].spec#type": "object",
        "schema[v1].spec#deprecated": True,
        "schema[v1].spec.mode#type": "string",
        "schema[v1].spec.mode#enum[a]": True,
        "schema[v1].spec.mode#enum[b]": True,
        "schema[v1].list#type": "array",
        "schema[v1].list[]#type": "string",
    }


def test_objects_of_other_namespaces_are_named_by_them() -> None:
    role = {"kind": "Role", "metadata": {"name": "r", "namespace": "shop"}}
    assert set(facts_of([role, deployment()], "speedscale")) == {"Role/r@shop", "Deployment/shop"}
    assert set(facts_of([role, deployment()], "shop")) == {"Role/r", "Deployment/shop@speedscale"}


def test_nulls_and_empty_labels_are_absent() -> None:
    one = deployment()
    one["metadata"] |= {"creationTimestamp": None, "annotations": {}}
    one["status"] = {}
    assert fields_of(one) == fields_of(deployment())


@given(st.integers())
def test_order_changes_nothing_where_it_means_nothing(seed: int) -> None:
    whole = deployment(
        env=[{"name": n, "value": n} for n in "ABC"],
        ports=[{"name": n, "containerPort": 1} for n in "xyz"],
        volumeMounts=[{"mountPath": f"/{n}", "name": n} for n in "abc"],
        securityContext={"capabilities": {"add": ["P", "Q", "R"]}},
    )
    whole["spec"]["template"]["spec"]["tolerations"] = [{"key": k, "operator": "Exists"} for k in "abc"]
    shuffled = copy.deepcopy(whole)
    _shuffle(shuffled, random.Random(seed))
    assert json.loads(json.dumps(fields_of(shuffled))) == json.loads(json.dumps(fields_of(whole)))


def _shuffle(node: Any, chance: random.Random) -> None:
    inner = list(node.values()) if isinstance(node, dict) else list(node) if isinstance(node, list) else []
    if isinstance(node, list):
        chance.shuffle(node)
    for item in inner:
        _shuffle(item, chance)
