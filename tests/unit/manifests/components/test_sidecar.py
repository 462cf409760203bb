"""The sidecar's template: no capability but in the init containers, no key it does not need, never in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components.sidecar import COMPONENT
from speedscale_schemas import settings, validation
from speedscale_schemas.templates import examples, fill

Build = Callable[..., Any]


@pytest.fixture
def pod(build: Build) -> Build:
    def made(**tree: Any) -> dict[str, Any]:
        (template,) = build(COMPONENT, **tree).templates
        assert (template["apiVersion"], template["kind"]) == ("v1", "PodTemplate")
        spec: dict[str, Any] = fill(template, examples())["template"]["spec"]
        return spec

    return made


def test_names(pod: Build) -> None:
    made = pod()
    assert [c["name"] for c in made["containers"]] == ["speedscale-goproxy"]
    assert [c["name"] for c in made["initContainers"]] == [
        "speedscale-initproxy-iptables",
        "speedscale-initproxy-responder",
    ]


def test_the_proxy_is_restricted(pod: Build, container_of: Build) -> None:
    assert container_of(pod(), "speedscale-goproxy")["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": 2102,
        "runAsNonRoot": True,
        "runAsUser": 2102,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_its_user_does_not_follow_the_installations(pod: Build, container_of: Build) -> None:
    made = pod(preset="openshift")
    assert container_of(made, "speedscale-goproxy")["securityContext"]["runAsUser"] == 2102


def test_init_containers_may_write_rules_and_nothing_else(pod: Build, environment: Build) -> None:
    for container in pod()["initContainers"]:
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
        assert context["privileged"] is False
        assert context["allowPrivilegeEscalation"] is False
        assert environment(container)["PROXY_UID"] == "2102"


def test_the_programs_accept_what_they_are_told(pod: Build, container_of: Build, environment: Build) -> None:
    made = pod()
    for name, service in (("iptables", "initproxy-iptables"), ("responder", "initproxy-responder")):
        found = environment(container_of(made, f"speedscale-initproxy-{name}"))
        assert set(found) <= set(validation.schema(f"settings/{service}")["properties"])
        settings.parse(service, {key: str(value) for key, value in found.items() if value is not None})


def test_without_capture_a_pod_starts_and_without_its_routes_a_replay_s_does_not(
    pod: Build, container_of: Build, environment: Build
) -> None:
    made = pod()
    assert environment(container_of(made, "speedscale-initproxy-iptables"))["ON_FAILURE"] == "pass"
    assert "ON_FAILURE" not in environment(container_of(made, "speedscale-initproxy-responder"))


def test_privileged_by_values_only(pod: Build) -> None:
    for container in pod(privilegedSidecars=True)["initContainers"]:
        context = container["securityContext"]
        assert context["privileged"] is True
        # the API server refuses a privileged container that may not escalate
        assert context["allowPrivilegeEscalation"] is True
        assert "capabilities" not in context


@pytest.mark.parametrize(("tree", "seen"), [({"observeDns": True}, True), ({}, False)])
def test_dns_is_observed_by_values_only(pod: Build, container_of: Build, tree: dict[str, Any], seen: bool) -> None:
    made = pod(sidecar=tree)
    context = container_of(made, "speedscale-goproxy")["securityContext"]
    assert (context["capabilities"].get("add") == ["NET_RAW"]) is seen
    assert context["allowPrivilegeEscalation"] is seen
    assert "speedscale-initproxy-smartdns" not in [c["name"] for c in made["initContainers"]]


def test_the_chart_s_switch_turns_it_off(pod: Build, container_of: Build) -> None:
    made = pod(sidecar={"observeDns": True}, disableSidecarSmartReverseDNS=True)
    assert container_of(made, "speedscale-goproxy")["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_secrets_are_taken_item_by_item_and_only_what_the_application_trusts_is_waited_for(pod: Build) -> None:
    volumes = {v["name"]: v for v in pod()["volumes"]}
    own = volumes["speedscale-certs"]["secret"]
    assert own["optional"] is True
    assert [i["key"] for i in own["items"]] == ["ca.crt", "tls.crt", "tls.key", "token"]
    # what the application's containers mount: certificates, no key
    trust = [source["secret"] for source in volumes["speedscale-trust"]["projected"]["sources"]]
    assert {s["name"]: [i["key"] for i in s["items"]] for s in trust} == {
        "speedscale-certs": ["ca-bundle.crt", "ca.crt"],
        "speedscale-jks": ["cacerts.jks"],
    }
    assert all("optional" not in source for source in trust)


def test_environment_of_the_contract(pod: Build, container_of: Build, environment: Build) -> None:
    found = environment(container_of(pod(), "speedscale-goproxy"))
    assert {
        "APP_LABEL",
        "APP_POD_NAME",
        "APP_POD_NAMESPACE",
        "CAPTURE_MODE",
        "FORWARDER_ADDR",
        "LOG_LEVEL",
        "PROXY_IN_PORT",
        "PROXY_OUT_PORT",
        "PROXY_TYPE",
        "PROXY_PROTOCOL",
        "SPEC_NODENAME",
        "SPEC_SERVICEACCOUNTNAME",
        "STATUS_HOST_IP",
        "STATUS_POD_IP",
        "TLS_CERT_DIR",
        "TLS_OUT_UNWRAP",
        "TLS_IN_UNWRAP",
        "TLS_IN_PUBLIC_KEY",
        "TLS_IN_PRIVATE_KEY",
        "TLS_MUTUAL_PUBLIC_KEY",
        "TLS_MUTUAL_PRIVATE_KEY",
    } <= set(found)
    assert found["FORWARDER_ADDR"] == "https://speedscale-forwarder.speedscale.svc:80"


def test_as_a_restartable_init_container_it_holds_the_application_back(pod: Build, container_of: Build) -> None:
    container = container_of(pod(), "speedscale-goproxy")
    assert container["restartPolicy"] == "Always"
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert "livenessProbe" not in container


def test_every_container_has_resources(pod: Build) -> None:
    made = pod()
    for container in [*made["initContainers"], *made["containers"]]:
        assert container["resources"] == {"requests": {"cpu": "10m", "memory": "32Mi"}}


def test_on_open_shift_its_constraints_can_be_used_by_those_whom_somebody_binds(build: Build) -> None:
    objects = build(COMPONENT, preset="openshift")
    constraints = objects.one("SecurityContextConstraints")
    assert constraints["allowedCapabilities"] == ["NET_ADMIN"]
    assert constraints["allowPrivilegedContainer"] is False
    assert constraints["allowHostNetwork"] is False
    assert "hostPath" not in constraints["volumes"]
    (rule,) = objects.one("ClusterRole")["rules"]
    assert (rule["verbs"], rule["resourceNames"]) == (["use"], ["speedscale-sidecar"])
    assert objects.none("ClusterRoleBinding")
    assert build(COMPONENT).identity == []


def test_it_verifies_servers_by_extra_roots_where_they_are_named(
    pod: Build, container_of: Build, environment: Build
) -> None:
    named = container_of(pod(sidecar={"extraRoots": "company-roots"}), "speedscale-goproxy")
    assert environment(named)["TLS_OUT_CA_FILE"] == "/etc/ssl/speedscale/upstream.crt"
    assert "TLS_OUT_CA_FILE" not in environment(container_of(pod(), "speedscale-goproxy"))
