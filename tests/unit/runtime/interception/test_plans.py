"""Rules as data: from settings to plans, from plans and what is there to texts, and the digest. No kernel in it."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.interception import capture, config, marking, mesh, routing, saved, transition
from speedscale_runtime.interception.config import CaptureSettings
from speedscale_runtime.interception.mesh import Mesh
from speedscale_runtime.interception.model import Family, TablePlan
from speedscale_runtime.interception.saved import Table
from speedscale_schemas.errors import ConfigError

BUILT_IN = {"PREROUTING": "ACCEPT", "INPUT": "ACCEPT", "OUTPUT": "ACCEPT", "POSTROUTING": "ACCEPT"}


def applied(text: str, table: Table) -> Table:
    """Do to a table what iptables-restore --noflush does."""
    chains, rules = dict(table.chains), {name: list(found) for name, found in table.rules.items()}
    for line in text.splitlines():
        verb, _, rest = line.partition(" ")
        name, _, rule = rest.partition(" ")
        if line.startswith(":"):
            chains[line[1:].split()[0]], rules[line[1:].split()[0]] = None, []
        elif verb == "-A":
            rules[name].append(rule)
        elif verb == "-I":
            rules[name].insert(int(rule.split()[0]) - 1, rule.partition(" ")[2])
        elif verb == "-D":
            rules[name].remove(rule)
        elif verb == "-F":
            rules[name].clear()
        elif verb == "-X":
            assert not rules.pop(name)
            del chains[name]
    for found in rules.values():
        for rule in found:
            target = saved.targets(rule)
            assert target in chains or target in {"RETURN", "REDIRECT", "DNAT", "REJECT", "ACCEPT", ""}, rule
    return Table(chains, rules)


def fresh(*rules: tuple[str, str]) -> Table:
    made: dict[str, list[str]] = {name: [] for name in BUILT_IN}
    for name, rule in rules:
        made.setdefault(name, []).append(rule)
    return Table({**BUILT_IN, **{name: None for name in made if name not in BUILT_IN}}, made)


ports = st.lists(st.integers(1, 65535), max_size=4).map(lambda found: tuple(dict.fromkeys(found)))
networks = st.lists(
    st.one_of(
        st.ip_addresses().map(ipaddress.ip_network), st.just(ipaddress.ip_network("0.0.0.0/0")),
        st.just(ipaddress.ip_network("fd00::/8")),
    ),
    max_size=3,
).map(tuple)  # fmt: skip
any_settings = st.builds(
    CaptureSettings,
    proxy_type=st.sampled_from(["transparent", "transparent", "dual"]),
    ignore_src=networks,
    ignore_dst=networks,
    ignore_inbound_ports=ports,
    ignore_outbound_ports=ports,
    ignore_loopback=st.booleans(),
    track_loopback=st.booleans(),
    node_traffic=st.booleans(),
)
any_mesh = st.builds(
    mesh.Found,
    mesh=st.sampled_from(list(Mesh)),
    present=st.booleans(),
    uids=st.sampled_from([(), ("1337",), ("2102", "5678")]),
    gids=st.sampled_from([(), ("1337",)]),
)
any_facts = st.builds(capture.Facts, node=st.lists(st.ip_addresses(), max_size=2).map(tuple), mesh=any_mesh)
OTHERS = st.sampled_from(
    [
        [],
        [("OUTPUT", "-p tcp -j OTHER"), ("OTHER", "-p tcp -j REDIRECT --to-ports 9")],
        [("PREROUTING", "-p udp -j RETURN"), ("OUTPUT", "-p udp -j RETURN")],
    ]
)


def plan_of(settings: CaptureSettings, facts: capture.Facts, family: Family = Family.V4) -> TablePlan:
    return marking.marked(capture.plan(settings, facts, family), "capture", made=False)


@given(any_settings, any_settings, any_facts, OTHERS, st.sampled_from(list(Family)))
def test_from_any_rules_to_any_rules_in_one_step_and_back(
    before: CaptureSettings,
    after: CaptureSettings,
    facts: capture.Facts,
    others: list[tuple[str, str]],
    family: Family,
) -> None:
    bare = fresh(*others)
    first = applied(transition.restore(plan_of(before, facts, family), bare), bare)
    plan = plan_of(after, facts, family)
    second = applied(transition.restore(plan, first), first)
    assert transition.differences(plan, second) == ()
    assert transition.restore(plan, second) == "", "the second time nothing is written"
    assert applied(transition.restore(plan, second, anew=True), second) == second
    mark = marking.find(plan, second)
    assert (mark.digest if mark else None) == (marking.of_live(plan, second) if plan.chains else None)
    assert applied(transition.restore(capture.nothing(family), second), second) == bare


@given(any_settings, any_facts, st.sampled_from(list(Family)))
def test_the_proxy_s_own_connections_never_come_back_to_it(
    settings: CaptureSettings, facts: capture.Facts, family: Family
) -> None:
    plan = capture.plan(settings, facts, family)
    for chain in plan.chains:
        if chain.name == capture.OUT:
            assert chain.rules[0] == "-m owner --uid-owner 2102 -j RETURN"
            redirect = next(i for i, rule in enumerate(chain.rules) if rule == "-p tcp -j REDIRECT --to-ports 4140")
            assert redirect == len(chain.rules) - 1
            for uid in facts.mesh.uids:
                assert chain.rules.index(f"-m owner --uid-owner {uid} -j RETURN") < redirect


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.rules["SPEEDSCALE_OUT"].append("-j RETURN"),
        lambda t: t.rules["SPEEDSCALE_OUT"].pop(),
        lambda t: t.rules["SPEEDSCALE_IN"].reverse(),
        lambda t: t.rules["PREROUTING"].clear(),
        lambda t: t.rules["OUTPUT"].append("-p udp -j SPEEDSCALE_OUT"),
        lambda t: t.rules["SPEEDSCALE_OUT"].pop(0),
    ],
)
def test_any_change_is_a_difference_and_another_digest(change: Any) -> None:
    plan = plan_of(CaptureSettings(), capture.Facts())
    table = applied(transition.restore(plan, fresh()), fresh())
    change(table)
    mark = marking.find(plan, table)
    assert transition.differences(plan, table)
    assert mark is None or mark.digest != marking.of_live(plan, table)
    assert applied(transition.restore(plan, table), table) == applied(transition.restore(plan, fresh()), fresh())


def test_other_spellings_are_no_difference() -> None:
    assert saved.normal("-s 10.0.0.1/32 -p tcp -m tcp --dport 53 -j RETURN") == saved.normal(
        "-s 10.0.0.1 -p tcp --dport 53 -j RETURN"
    )
    assert saved.normal("-d fd00::1/128 -j RETURN") == saved.normal("-d fd00::1 -j RETURN")
    assert saved.normal('-m comment --comment "a b" -j X') == saved.normal("-m comment --comment 'a b' -j X")
    assert saved.normal("-d 10.0.0.1 -j RETURN") != saved.normal("-s 10.0.0.1 -j RETURN")


def test_what_iptables_save_prints() -> None:
    found = saved.parse(
        "# Generated\n*filter\n:INPUT DROP [3:120]\nCOMMIT\n*nat\n:OUTPUT ACCEPT [0:0]\n:MINE - [0:0]\n"
        "-A OUTPUT -p tcp -j MINE\n-A MINE -j RETURN\nCOMMIT\n# Completed\n"
    )
    assert found["filter"].chains == {"INPUT": "DROP"}
    assert not found["filter"].empty, "a policy that drops is not nothing"
    assert found["nat"].rules == {"OUTPUT": ["-p tcp -j MINE"], "MINE": ["-j RETURN"]}
    assert saved.parse("*nat\n:OUTPUT ACCEPT [9:9]\nCOMMIT\n")["nat"].empty


@pytest.mark.parametrize(
    ("rules", "announced", "expected"),
    [
        ([], Mesh.NONE, mesh.Found()),
        ([], Mesh.ISTIO, mesh.Found(Mesh.ISTIO, False, ("1337",), ("1337",))),
        ([], Mesh.LINKERD, mesh.Found(Mesh.LINKERD)),
        ([("ISTIO_OUTPUT", "-j RETURN")], Mesh.NONE, mesh.Found(Mesh.ISTIO, True, ("1337",), ("1337",))),
        ([("ISTIO_PRERT", "-p tcp -j ACCEPT")], Mesh.NONE, mesh.Found(Mesh.AMBIENT, True)),
        (
            [("PROXY_INIT_OUTPUT", "-m owner --uid-owner 2102 -j RETURN")],
            Mesh.NONE,
            mesh.Found(Mesh.LINKERD, True, ("2102",)),
        ),
        ([("X", "-p tcp -j REDIRECT --to-ports 9")], Mesh.NONE, mesh.Found(Mesh.OTHER, True)),
        ([("X", "-p tcp -j DROP")], Mesh.NONE, mesh.Found()),
        ([("SPEEDSCALE_OUT", "-p tcp -j REDIRECT --to-ports 4140")], Mesh.NONE, mesh.Found()),
    ],
)
def test_meshes_are_told_by_their_rules(rules: list[tuple[str, str]], announced: Mesh, expected: mesh.Found) -> None:
    assert mesh.find(fresh(*rules), announced) == expected


def test_settings_as_the_manifests_give_them() -> None:
    rules = {"ignoreDstIps": ["10.0.0.9/8", "*"], "ignoreInboundPorts": [9090, 9090], "nodeTraffic": True}
    found = config.parse_capture(
        {
            "CAPTURE_RULES": json.dumps(rules),
            "STATUS_HOST_IP": "192.0.2.1,2001:db8::1",
            "STATUS_POD_IP": "10.244.0.7",
            "ISTIO_CNI": "false",
            "REINITIALIZE_IPTABLES": "false",
            "PROXY_UID": "2102",
            "SPEC_NODENAME": "node-1",
        }
    )
    assert [str(n) for n in found.ignore_dst] == ["10.0.0.0/8", "0.0.0.0/0", "::/0"]
    assert (found.ignore_inbound_ports, found.node_traffic, found.on_the_node) == ((9090,), True, False)
    assert [str(a) for a in found.node] == ["192.0.2.1", "2001:db8::1"]


def test_every_problem_at_once() -> None:
    bad = {"CAPTURE_RULES": '{"ignoreSrcIps": ["x"], "ignoreDstIps": ["10.0.0.0/40"]}', "STATUS_HOST_IP": "y",
           "PROXY_IN_PORT": "4144"}  # fmt: skip
    with pytest.raises(ConfigError) as error:
        config.parse_capture(bad)
    assert len(error.value.problems) == 4


def address(text: str) -> Any:
    return ipaddress.ip_address(text)


def test_routes_and_who_comes_first() -> None:
    routes, problems = routing.parse(
        {"b.example:443": "10.96.0.1:443", "198.51.100.7:443": "10.96.0.2:444", "a.example:80": "[fd00::1]:80"}
    )
    assert problems == []
    assert routing.names(routes) == ("a.example", "b.example")
    resolved = {"b.example": (address("198.51.100.7"), address("2001:db8::7")), "a.example": (address("198.51.100.8"),)}
    nat, refused = routing.plans(routes, resolved, Family.V4)
    assert nat.chains[0].rules == (
        "-d 198.51.100.7/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.96.0.2:444",
    ), "an address that is named itself comes before a name that has it"
    assert refused.chains[0].rules == ("-d 198.51.100.8/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset",)
    v6 = routing.plans(routes, resolved, Family.V6)
    assert v6[0] == routing.nothing(Family.V6, "nat")
    assert "2001:db8::7/128" in v6[1].chains[0].rules[0]
    assert routing.shared(routes, resolved) == (
        "b.example:443 and 198.51.100.7 are both 198.51.100.7; both go to 10.96.0.2",
    )


@pytest.mark.parametrize("text", ["a.example", "a.example:70000", ":443", "a b:1", "fe80::1%eth0:443", "[a]:1", "a:"])
def test_what_is_no_route(text: str) -> None:
    routes, problems = routing.parse({text: "10.96.0.1:443"})
    assert routes == ()
    assert len(problems) == 1
    assert text in problems[0]
