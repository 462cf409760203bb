"""This project's Kubernetes client against a real API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.definitions import define, undefine

from speedscale_kube import Client, Ref, load
from speedscale_kube.errors import (
    ApplyConflictError,
    ConflictError,
    ExistsError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
)
from speedscale_schemas.errors import PermanentError


def config_map(namespace: str, name: str = "it", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "it"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_the_version_is_the_one_that_was_built(kube: Client) -> None:
    assert kube.version().startswith("v1.")


@pytest.mark.parametrize(
    ("api_version", "kind", "plural", "namespaced"),
    [
        ("v1", "Namespace", "namespaces", False),
        ("v1", "PodTemplate", "podtemplates", True),
        ("apps/v1", "Deployment", "deployments", True),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False),
    ],
)
def test_discovery(api_version: str, kind: str, plural: str, namespaced: bool, kube: Client) -> None:
    resource = kube.resource(api_version, kind)
    assert (resource.plural, resource.namespaced) == (plural, namespaced)
    assert {"get", "list", "watch", "patch", "delete"} <= resource.verbs


def test_applying_twice_changes_nothing(kube: Client, namespace: str) -> None:
    first = kube.apply(config_map(namespace, a="1"), "us")
    assert kube.apply(config_map(namespace, a="1"), "us")["metadata"] == first["metadata"]


def test_a_field_that_is_no_longer_applied_goes_and_others_stay(kube: Client, namespace: str) -> None:
    kube.apply(config_map(namespace, a="1", b="2"), "us")
    kube.apply(config_map(namespace, c="3"), "them")
    kube.apply(config_map(namespace, a="1"), "us")
    assert kube.get(Ref("v1", "ConfigMap", namespace, "it"))["data"] == {"a": "1", "c": "3"}


def test_a_conflict_names_the_fields_and_force_takes_them(kube: Client, namespace: str) -> None:
    kube.apply(config_map(namespace, a="1"), "us")
    with pytest.raises(ApplyConflictError) as caught:
        kube.apply(config_map(namespace, a="2"), "them")
    assert caught.value.fields == (".data.a",)
    assert 'conflict with "us"' in str(caught.value)
    assert kube.apply(config_map(namespace, a="2"), "them", force=True)["data"] == {"a": "2"}


def test_a_dry_run_goes_through_everything_and_writes_nothing(kube: Client, namespace: str) -> None:
    made = kube.apply(config_map(namespace, a="1"), "us", dry_run=True)
    assert made["metadata"]["uid"]
    assert kube.find(Ref("v1", "ConfigMap", namespace, "it")) is None
    with pytest.raises(InvalidError, match=r"\.data\.a: expected string"):
        kube.apply({**config_map(namespace), "data": {"a": {"b": 1}}}, "us", dry_run=True)


def test_strict_refuses_unknown_fields(kube: Client, namespace: str) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "it", "namespace": namespace},
        "spec": {"ports": [{"port": 1}], "selectors": {}},
    }
    with pytest.raises(PermanentError, match=r"selectors"):
        kube.apply(service, "us", strict=True)


def test_a_large_collection_comes_in_pages_of_one_version(kube: Client, namespace: str) -> None:
    for number in range(25):
        kube.apply(config_map(namespace, f"it-{number:02}"), "us")
    pages = list(kube.pages("v1", "ConfigMap", namespace, labels="app=it", limit=10))
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert len({page.resource_version for page in pages}) == 1
    whole = kube.list("v1", "ConfigMap", namespace, labels="app=it", limit=7)
    assert [item["metadata"]["name"] for item in whole] == [f"it-{number:02}" for number in range(25)]
    assert {(item["apiVersion"], item["kind"]) for item in whole} == {("v1", "ConfigMap")}
    only = kube.list("v1", "ConfigMap", namespace, labels="app=it", metadata_only=True)
    assert len(only) == 25
    assert all("data" not in item and item["kind"] == "ConfigMap" for item in only)
    (one,) = kube.list("v1", "ConfigMap", namespace, fields="metadata.name=it-03")
    assert one["metadata"]["name"] == "it-03"


def test_a_token_of_a_page_that_is_too_old_is_gone(cluster: Cluster, kube: Client, namespace: str) -> None:
    """What a list gets when etcd forgot its version; Events are the kind that no cache of the server keeps alive."""

    def happen(number: int) -> int:
        metadata = {"name": f"it-{number}", "namespace": namespace, "labels": {"app": "it"}}
        about = {"kind": "Namespace", "name": namespace, "namespace": namespace}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about}
        return int(kube.create(event, "us")["metadata"]["resourceVersion"])

    for number in range(3):
        happen(number)
    pages = kube.pages("v1", "Event", namespace, limit=1)
    assert len(next(pages).items) == 1
    compact(cluster, happen(3))
    with pytest.raises(GoneError, match="too old"):
        list(pages)
    assert len(kube.list("v1", "Event", namespace, labels="app=it", limit=1)) == 4


def compact(cluster: Cluster, revision: int) -> None:
    """Have etcd forget what is older, by its JSON gateway."""
    layout = cluster.layout
    pair = layout.issued["etcd-client"]
    url = f"https://127.0.0.1:{layout.ports['etcd']}/v3/kv/compaction"
    body = json.dumps({"revision": revision, "physical": True})
    tls = ["--cacert", str(layout.etcd_ca.certificate), "--cert", str(pair.certificate), "--key", str(pair.key)]
    subprocess.run(["curl", "-sSf", *tls, "-d", body, url], check=True, capture_output=True, timeout=20)


def test_a_patch_and_a_stale_version(kube: Client, namespace: str) -> None:
    which = Ref("v1", "ConfigMap", namespace, "it")
    version = kube.apply(config_map(namespace, a="1"), "us")["metadata"]["resourceVersion"]
    assert kube.patch(which, {"data": {"a": None, "b": "2"}}, "them")["data"] == {"b": "2"}
    stale = {"metadata": {"resourceVersion": version}, "data": {"c": "3"}}
    with pytest.raises(ConflictError, match="the object has been modified"):
        kube.patch(which, stale, "them")


def test_deleting(kube: Client, namespace: str) -> None:
    which = Ref("v1", "ConfigMap", namespace, "it")
    kube.apply(config_map(namespace), "us")
    assert kube.delete(which, dry_run=True) is True
    assert kube.find(which) is not None
    assert kube.delete(which) is True
    assert kube.delete(which) is False
    with pytest.raises(NotFoundError, match='configmaps "it" not found'):
        kube.get(which)


def test_a_definition_that_comes_later_is_found(kube: Client, namespace: str) -> None:
    group = f"{namespace}.example.com"
    with pytest.raises(NotFoundError):
        kube.resource(f"{group}/v1", "Thing")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    define(kube, definition)
    try:
        thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "it", "namespace": namespace}}
        assert kube.apply(thing, "us")["metadata"]["name"] == "it"
    finally:
        undefine(kube, definition)


def test_who_has_no_right_is_told_so_in_the_servers_words(cluster: Cluster, namespace: str) -> None:
    user, kubeconfig = cluster.restricted(2)
    with cluster.client(kubeconfig) as client, pytest.raises(ForbiddenError) as caught:
        client.list("v1", "ConfigMap", namespace)
    assert f'User "{user}" cannot list resource "configmaps"' in str(caught.value)


def test_a_service_accounts_token_is_taken_from_a_file_and_read_again(
    cluster: Cluster, kube: Client, namespace: str, tmp_path: Path
) -> None:
    """As in a pod: the token on disk is bad at first, and good when it is read anew after the 401."""
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "it", "namespace": namespace}}, "us")
    account = tmp_path / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes(cluster.layout.ca.certificate.read_bytes())
    (account / "namespace").write_text(namespace, encoding="utf-8")
    (account / "token").write_text("bad", encoding="utf-8")
    pod = {
        "HOME": str(tmp_path),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(cluster.layout.ports["apiserver"]),
    }
    with Client(load(environ=pod, service_account=account)) as client:
        with pytest.raises(UnauthorizedError):
            client.version()
        (account / "token").write_text(cluster.kubectl("-n", namespace, "create", "token", "it"), encoding="utf-8")
        assert client.version().startswith("v1.")
        assert client.namespace == namespace
        with pytest.raises(ForbiddenError, match=f"system:serviceaccount:{namespace}:it"):
            client.list("v1", "Secret", namespace)


def test_another_authority_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    config = json.loads(cluster.kubeconfig.read_text(encoding="utf-8"))
    wrong = cluster.layout.etcd_ca.certificate
    config["clusters"][0]["cluster"] = {
        "server": config["clusters"][0]["cluster"]["server"],
        "certificate-authority": str(wrong),
    }
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    with cluster.client(tmp_path / "config") as client, pytest.raises(PermanentError) as caught:
        client.version()
    assert "certificate verify failed" in str(caught.value)
    assert "is certificate-authority in the kubeconfig that of this cluster?" in str(caught.value)


def test_what_exists_cannot_be_created_again(kube: Client, namespace: str, cluster: Cluster) -> None:
    kube.apply(config_map(namespace), "us")
    with pytest.raises(ExistsError, match="already exists"):
        kube.create(config_map(namespace), "us")
    assert kube.create(config_map(namespace, "other"), "us")["metadata"]["name"] == "other"
