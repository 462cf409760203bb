"""Routing of a replay by address: calls go to the mocks, with and without a sidecar, or nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.network


def routed(world: Any, routes: dict[str, str], **environment: str) -> Any:
    return world.program("routes", RESPONDER_ROUTES=json.dumps(routes), **environment)


def test_calls_to_an_address_go_to_the_mocks(world: Any) -> None:
    routes = {"203.0.113.5:443": "10.2.0.2:80", "[2001:db8:5::5]:443": "[fd00:2::2]:80"}
    assert routed(world, routes).code == 0
    for address in ("203.0.113.5", "2001:db8:5::5"):
        found = world.pod.ask(address, 443)
        assert (found["by"], found["port"]) == ("server", 80)
    assert world.pod.ask("10.2.0.2", 443)["port"] == 443, "what is not routed stays as it was"


def test_the_sidecar_sees_the_call_and_its_own_goes_to_the_mocks(world: Any) -> None:
    """Whichever was written first."""
    routes = {"203.0.113.5:443": "10.2.0.2:80"}
    for order in (("routes", "iptables"), ("iptables", "routes")):
        for module in order:
            assert world.program(module, RESPONDER_ROUTES=json.dumps(routes)).code == 0
        seen = world.pod.ask("203.0.113.5", 443)
        assert (seen["by"], seen["meant"]) == ("proxy", "203.0.113.5:443")
        assert world.pod.ask("203.0.113.5", 443, uid=2102)["by"] == "server"
        for module in order:
            assert world.program(module, "--remove").code == 0


def test_what_bypasses_the_sidecar_is_routed_all_the_same(world: Any) -> None:
    world.capture(rules={"ignoreDstIps": ["203.0.113.0/24"]})
    assert routed(world, {"203.0.113.5:443": "10.2.0.2:80"}).code == 0
    assert world.pod.ask("203.0.113.5", 443)["by"] == "server"


def test_names_are_resolved_and_all_their_addresses_routed(world: Any) -> None:
    """`localhost` has an address of each family on every host; mocks that have only IPv4 refuse the other."""
    assert routed(world, {"localhost:8080": "10.2.0.2:80"}).code == 0
    rules = world.saved()
    assert (
        "-A SPEEDSCALE_ROUTES -d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.2.0.2:80" in rules
    )
    if "::1" in rules:
        assert "-d ::1/128 -p tcp -m tcp --dport 8080 -j REJECT --reject-with tcp-reset" in rules


def test_an_address_that_cannot_be_led_to_the_mocks_is_refused_at_once(world: Any) -> None:
    assert world.pod.ask(world.server.v6, 80)["by"] == "server"
    assert routed(world, {f"[{world.server.v6}]:80": "10.2.0.2:443"}).code == 0
    refused = world.pod.ask(world.server.v6, 80)
    assert (refused["by"], refused["error"]) == ("nobody", "ConnectionRefusedError")
    assert world.pod.ask(world.server.v6, 443)["by"] == "server"


def test_a_name_that_nobody_answered_for_stops_the_pod(world: Any) -> None:
    """This network has no name server: the name may exist, and the application may reach the real service later."""
    done = routed(world, {"payments.example.com:443": "10.2.0.2:80", "203.0.113.5:443": "10.2.0.2:80"},
                  RESOLVE_TIMEOUT_S="0.7")  # fmt: skip
    assert done.code == 2
    assert "payments.example.com: no name server answered" in done.err
    assert "SPEEDSCALE" not in world.saved()


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ('{"no such name:1": "10.2.0.2:80"}', "'no such name:1': expected host:port"),
        ('{"payments.example.com": "10.2.0.2:80"}', "'payments.example.com': expected host:port"),
        ('{"payments.example.com:0": "10.2.0.2:80"}', "'payments.example.com:0': expected host:port"),
        ('{"2001:db8::1:443": "10.2.0.2:80"}', "'2001:db8::1:443': expected host:port, IPv6 addresses in brackets"),
        ('{"a.example:443": "responder.shop.svc:80"}', "expected address:port of the responder's Service"),
        ('{"a.example:443": 7}', "RESPONDER_ROUTES"),
    ],
)
def test_bad_routes_are_refused_by_name(world: Any, routes: str, told: str) -> None:
    done = world.program("routes", RESPONDER_ROUTES=routes)
    assert done.code == 2
    assert told in done.err


def test_routes_that_changed_are_found(world: Any) -> None:
    routes = {"203.0.113.5:443": "10.2.0.2:80"}
    assert routed(world, routes).code == 0
    world.pod.sh("iptables-nft", "-t", "nat", "-F", "SPEEDSCALE_ROUTES")
    checked = world.program("routes", "--check", RESPONDER_ROUTES=json.dumps(routes))
    assert checked.code == 1
    assert "missing: -A SPEEDSCALE_ROUTES -d 203.0.113.5/32" in checked.out


def test_no_routes_no_rules(world: Any) -> None:
    before = world.saved()
    assert world.program("routes").event["event"] == "rules_none"
    assert world.saved() == before
