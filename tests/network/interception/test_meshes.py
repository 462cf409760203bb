"""Beside a mesh: rules in the manner of Istio and Linkerd, written before ours and after; nothing goes round."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.network

ISTIO = """*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN
-A ISTIO_INBOUND -p tcp -m tcp --dport 9090 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
-A ISTIO_OUTPUT -p tcp -j ISTIO_REDIRECT
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
"""
LINKERD = """*nat
:PROXY_INIT_OUTPUT - [0:0]
:PROXY_INIT_REDIRECT - [0:0]
-A PREROUTING -j PROXY_INIT_REDIRECT
-A OUTPUT -j PROXY_INIT_OUTPUT
-A PROXY_INIT_REDIRECT -p tcp -m multiport --dports 4190,4191 -j RETURN
-A PROXY_INIT_REDIRECT -p tcp -j REDIRECT --to-ports 15143
-A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -j RETURN
-A PROXY_INIT_OUTPUT -o lo -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m multiport --dports 5432 -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -j REDIRECT --to-ports 15140
COMMIT
"""


@pytest.fixture(scope="module")
def meshed(lasting: Any) -> Any:
    lasting.pod.answer("envoy", 1337, "@15006", "127.0.0.1@15001", "@15008")
    lasting.pod.answer("linkerd", 2102, "@15143", "127.0.0.1@15140")
    return lasting


def restore(world: Any, rules: str) -> None:
    world.pod.sh("iptables-nft-restore", "--noflush", text=rules)


@pytest.mark.parametrize("first", ["mesh", "ours"])
def test_istio_keeps_what_is_its_own_and_we_see_plain_text(meshed: Any, world: Any, first: str) -> None:
    if first == "mesh":
        restore(world, ISTIO)
        done = world.capture()
    else:
        done = world.capture(MESH="istio")
        restore(world, ISTIO)
    assert "Istio's rules" in done.notes
    # in: the mesh's proxy takes what arrives; it hands it on from 127.0.0.6, and there we are
    assert world.client.ask(world.pod.v4, 8080)["by"] == "envoy"
    handed = world.pod.ask(world.pod.v4, 8080, uid=1337, source="127.0.0.6")
    assert (handed["by"], handed["port"], handed["meant"]) == ("proxy", 4143, f"{world.pod.v4}:8080")
    assert world.pod.ask(world.pod.v4, 8080, uid=2102)["by"] == "app"
    # out: the application to us, we to the mesh, the mesh to the server
    went = world.pod.ask(world.server.v4, 80)
    assert (went["by"], went["port"]) == ("proxy", 4140)
    assert world.pod.ask(world.server.v4, 80, uid=2102)["port"] == 15001
    assert world.pod.ask(world.server.v4, 80, uid=1337)["by"] == "server"
    # the mesh's own ports
    assert world.client.ask(world.pod.v4, 15008)["port"] == 15008


def test_what_istio_leaves_out_on_arrival_is_captured_where_its_rules_are_there(meshed: Any, world: Any) -> None:
    restore(world, ISTIO)
    world.capture(ISTIO_CNI="true")
    assert world.client.ask(world.pod.v4, 9090)["port"] == 4143


def test_istio_s_agent_without_its_rules_is_told(meshed: Any, world: Any) -> None:
    assert "is the pod excluded from the mesh?" in world.capture(ISTIO_CNI="true").notes


def test_traffic_stays_in_linkerd(meshed: Any, world: Any) -> None:
    restore(world, LINKERD)
    done = world.capture()
    assert "Linkerd's rules are there already: only what it leaves out is captured" in done.notes
    assert world.client.ask(world.pod.v4, 8080)["port"] == 15143
    assert world.pod.ask(world.server.v4, 80)["port"] == 15140
    assert world.pod.ask(world.server.v4, 80, uid=2102)["by"] == "server"
    assert world.pod.ask(world.server.v4, 5432)["port"] == 4140, "what Linkerd leaves out"


def test_before_linkerd_s_rules_there_can_be_none_of_ours(meshed: Any, world: Any) -> None:
    done = world.capture(MESH="linkerd")
    assert "nothing is captured" in done.notes
    restore(world, LINKERD)
    assert world.client.ask(world.pod.v4, 8080)["port"] == 15143
    assert world.pod.ask(world.server.v4, 80)["port"] == 15140


def test_another_redirection_s_user_is_exempted(meshed: Any, world: Any) -> None:
    restore(world, """*nat
:OTHER_OUT - [0:0]
-A OUTPUT -p tcp -j OTHER_OUT
-A OTHER_OUT -m owner --uid-owner 1337 -j RETURN
-A OTHER_OUT -p tcp -j REDIRECT --to-ports 15001
COMMIT
""")  # fmt: skip
    assert "rules of another program redirect here too" in world.capture().notes
    assert world.pod.ask(world.server.v4, 80)["port"] == 4140
    assert world.pod.ask(world.server.v4, 80, uid=2102)["port"] == 15001
    assert world.pod.ask(world.server.v4, 80, uid=1337)["by"] == "server"
