"""Real rules, real packets: what meets the proxy and what does not, over both families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.network

FAMILIES = pytest.mark.parametrize("family", ["v4", "v6"])
SERVICE = {"v4": "10.96.0.9", "v6": "fd00:96::9"}
LOOPBACK = {"v4": "127.0.0.1", "v6": "::1"}
GATEWAY = {"v4": "10.244.0.1", "v6": "fd00:244::1"}


def at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def of(place: Any, family: str) -> str:
    return str(getattr(place, family))


@FAMILIES
def test_both_directions_meet_the_proxy_with_the_destination_they_were_meant_for(world: Any, family: str) -> None:
    assert world.client.ask(of(world.pod, family), 8080)["by"] == "app"
    assert world.pod.ask(of(world.server, family), 80)["by"] == "server"
    assert world.capture().event["event"] == "rules_written"
    came = world.client.ask(of(world.pod, family), 8080)
    assert came == {
        "by": "proxy",
        "port": 4143,
        "meant": at(of(world.pod, family), 8080),
        "peer": of(world.client, family),
    }
    went = world.pod.ask(of(world.server, family), 80)
    assert (went["by"], went["port"], went["meant"]) == ("proxy", 4140, at(of(world.server, family), 80))


@FAMILIES
def test_what_the_proxy_opens_goes_where_it_wants(world: Any, family: str) -> None:
    world.capture()
    assert world.pod.ask(of(world.server, family), 80, uid=2102) | {"peer": ""} == {
        "by": "server",
        "port": 80,
        "meant": "",
        "peer": "",
    }
    assert world.pod.ask(of(world.pod, family), 8080, uid=2102)["by"] == "app"
    assert world.pod.ask(LOOPBACK[family], 8080, uid=2102)["by"] == "app"


@FAMILIES
def test_the_proxy_s_own_ports_and_name_servers_are_reached_directly(world: Any, family: str) -> None:
    world.capture()
    for port in (4143, 4144, 4145):
        assert world.client.ask(of(world.pod, family), port)["meant"] in ("", at(of(world.pod, family), port))
        assert world.client.ask(of(world.pod, family), port)["port"] == port
    for port in (4140, 4143, 4144, 4145):
        assert world.pod.ask(LOOPBACK[family], port)["port"] == port
    assert world.pod.ask(of(world.server, family), 53)["by"] == "server"
    assert world.pod.ask(of(world.server, family), 4144)["by"] == "proxy", "elsewhere 4144 is a port like others"


@FAMILIES
def test_ports_that_are_to_be_left_alone(world: Any, family: str) -> None:
    world.capture(rules={"ignoreInboundPorts": [9090], "ignoreOutboundPorts": [5432]})
    assert world.client.ask(of(world.pod, family), 9090)["by"] == "app"
    assert world.client.ask(of(world.pod, family), 8080)["by"] == "proxy"
    assert world.pod.ask(of(world.server, family), 5432)["by"] == "server"
    assert world.pod.ask(of(world.server, family), 80)["by"] == "proxy"


@FAMILIES
def test_addresses_and_networks_that_are_to_be_left_alone(world: Any, family: str) -> None:
    world.capture(rules={"ignoreSrcIps": ["10.1.0.2", "fd00:1::2"], "ignoreDstIps": ["10.2.0.0/16", "fd00:2::/32"]})
    assert world.client.ask(of(world.pod, family), 8080)["by"] == "app"
    assert world.server.ask(of(world.pod, family), 8080)["by"] == "proxy"
    assert world.pod.ask(of(world.server, family), 80)["by"] == "server"
    assert world.pod.ask(of(world.client, family), 80)["by"] == "proxy"


def test_a_star_leaves_everything_alone_in_its_direction(world: Any) -> None:
    world.capture(rules={"ignoreSrcIps": ["*"]})
    assert world.client.ask(world.pod.v4, 8080)["by"] == "app"
    assert world.client.ask(world.pod.v6, 8080)["by"] == "app"
    assert world.pod.ask(world.server.v6, 80)["by"] == "proxy"
    world.capture(rules={"ignoreDstIps": ["*"]})
    assert world.client.ask(world.pod.v6, 8080)["by"] == "proxy"
    assert world.pod.ask(world.server.v4, 80)["by"] == "server"
    assert world.pod.ask(world.server.v6, 80)["by"] == "server"


def test_hosts_are_resolved_when_the_rules_are_written_and_unknown_ones_told(world: Any) -> None:
    done = world.capture(
        rules={"ignoreDstHosts": ["localhost", "no-such-name.invalid"]},
        RESOLVE_TIMEOUT_S="0.7",
    )
    assert "no-such-name.invalid is captured, its address is not known" in done.notes
    assert world.pod.ask("127.0.0.1", 8081)["by"] == "app"
    assert world.pod.ask(world.server.v4, 80)["by"] == "proxy"


@FAMILIES
@pytest.mark.parametrize(("seen", "by"), [(False, "app"), (True, "proxy")])
def test_probes_from_the_node_reach_the_application(world: Any, family: str, seen: bool, by: str) -> None:
    world.capture(rules={"nodeTraffic": seen})
    probe = world.node.ask(of(world.pod, family), 8080)
    assert (probe["by"], probe["peer"]) == (by, GATEWAY[family])


@pytest.mark.parametrize(("seen", "by"), [(False, "app"), (True, "proxy")])
def test_probes_from_the_node_s_own_address(world: Any, seen: bool, by: str) -> None:
    world.capture(rules={"nodeTraffic": seen})
    probe = world.node.ask(world.pod.v4, 8080, source=world.node.v4)
    assert (probe["by"], probe["peer"]) == (by, world.node.v4)


@FAMILIES
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, ("proxy", 4140)),
        ({"trackLoopback": True}, ("proxy", 4143)),
        ({"ignoreLoopback": True}, ("app", 8080)),
        ({"ignoreLoopback": True, "trackLoopback": True}, ("app", 8080)),
    ],
)
def test_what_stays_in_the_pod(world: Any, family: str, rules: dict[str, Any], expected: tuple[str, int]) -> None:
    world.capture(rules=rules)
    for address in (LOOPBACK[family], of(world.pod, family)):
        found = world.pod.ask(address, 8080)
        assert (found["by"], found["port"]) == expected
        if found["by"] == "proxy":
            assert found["meant"] == at(address, 8080)


@FAMILIES
def test_ports_left_alone_inbound_are_left_alone_on_loopback_where_it_counts_as_inbound(
    world: Any, family: str
) -> None:
    world.capture(rules={"trackLoopback": True, "ignoreInboundPorts": [9090]})
    assert world.pod.ask(LOOPBACK[family], 9090)["by"] == "app"
    assert world.pod.ask(LOOPBACK[family], 8080)["port"] == 4143


@FAMILIES
def test_a_call_to_the_own_service_is_seen_going_out_and_comes_back(
    world: Any, service: Callable[[], None], family: str
) -> None:
    service()
    assert world.pod.ask(SERVICE[family], 80)["by"] == "app"
    world.capture(rules={"nodeTraffic": True})
    out = world.pod.ask(SERVICE[family], 80)
    assert (out["port"], out["meant"]) == (4140, at(SERVICE[family], 80))
    back = world.pod.ask(SERVICE[family], 80, uid=2102)  # what the proxy does with it
    assert (back["port"], back["meant"], back["peer"]) == (4143, at(of(world.pod, family), 8080), GATEWAY[family])


def test_what_passes_through_the_pod_is_not_inbound_traffic(empty: Any) -> None:
    """A container inside of the pod, as in builds and virtual machines: another host in the place of it."""
    nested = empty.server
    empty.pod.answer("proxy", 2102, "@4143", "127.0.0.1@4140")
    nested.answer("nested", 0, "@8080")
    empty.pod.sh("ip", "link", "add", "inner", "type", "veth", "peer", "name", "outer", "netns", nested.name)
    for place, device, address in ((empty.pod, "inner", "203.0.113.1"), (nested, "outer", "203.0.113.9")):
        place.sh("ip", "addr", "add", f"{address}/24", "dev", device)
        place.sh("ip", "link", "set", device, "up")
    empty.pod.sh("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    empty.node.sh("ip", "route", "add", "203.0.113.0/24", "via", empty.pod.v4)
    empty.capture()
    assert empty.client.ask("203.0.113.1", 8080)["by"] == "proxy", "an address of the pod, if another one"
    assert empty.client.ask("203.0.113.9", 8080)["by"] == "nested"


def test_other_ports_and_another_user(world: Any) -> None:
    world.pod.answer("other", 3000, "@15143", "127.0.0.1@15140")
    world.capture(PROXY_IN_PORT="15143", PROXY_OUT_PORT="15140", PROXY_UID="3000")
    assert world.client.ask(world.pod.v4, 8080)["port"] == 15143
    assert world.pod.ask(world.server.v4, 80, uid=2102)["port"] == 15140
    assert world.pod.ask(world.server.v4, 80, uid=3000)["by"] == "server"
