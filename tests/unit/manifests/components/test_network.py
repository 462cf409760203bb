"""The words of NetworkPolicies."""

from __future__ import annotations

from speedscale_manifests.components import network
from speedscale_manifests.values import from_mapping

VALUES = from_mapping({})
OFF = from_mapping({"networkPolicies": {"enabled": False}})


def test_a_direction_without_rules_is_closed() -> None:
    (policy,) = network.policy(VALUES, "forwarder")
    assert policy["spec"] == {
        "podSelector": {
            "matchLabels": {
                "app": "speedscale-forwarder",
                "controlplane.speedscale.com/component": "forwarder",
            }
        },
        "policyTypes": ["Ingress", "Egress"],
    }


def test_they_can_be_switched_off() -> None:
    assert network.policy(OFF, "forwarder", ingress=[network.from_anywhere(80)]) == []


def test_anywhere_names_ports_and_no_peers() -> None:
    assert network.from_anywhere(9443) == {"ports": [{"port": 9443, "protocol": "TCP"}]}


def test_every_pod_of_the_cluster_is_not_everybody() -> None:
    assert network.from_all_pods(8888)["from"] == [{"namespaceSelector": {}}]
    assert network.to_all_pods() == {"to": [{"namespaceSelector": {}}]}
    assert network.to_all_pods(80)["ports"] == [{"port": 80, "protocol": "TCP"}]


def test_one_of_our_components_in_our_namespace() -> None:
    for peers in (network.from_component("java-client", 80)["from"], network.to_component("java-client", 80)["to"]):
        assert peers == [
            {
                "podSelector": {
                    "matchLabels": {
                        "app": "java-client",
                        "controlplane.speedscale.com/component": "java-client",
                    }
                }
            }
        ]


def test_names_are_resolved_by_udp_and_tcp() -> None:
    assert {port["protocol"] for port in network.to_dns()["ports"]} == {"UDP", "TCP"}
    assert {port["port"] for port in network.to_dns()["ports"]} == {53, 5353}


def test_the_api_server_is_where_values_say() -> None:
    assert "to" not in network.to_api_server(VALUES)
    narrow = from_mapping({"networkPolicies": {"apiServerCidrs": ["10.1.0.0/28"], "apiServerPorts": [8443]}})
    assert network.to_api_server(narrow) == {
        "to": [{"ipBlock": {"cidr": "10.1.0.0/28"}}],
        "ports": [{"port": 8443, "protocol": "TCP"}],
    }


def test_a_port_is_opened_once() -> None:
    found = [port["port"] for port in network.to_outside(VALUES, 443, 3128)["ports"]]
    assert found == [443, 4318, 3128]


def test_nobody_reads_metrics_unless_named() -> None:
    assert network.metrics(VALUES, 8081) == []
