"""Writing, writing again, looking whether they changed, taking them out: with real iptables of both back ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.network

ONLY_NET_ADMIN = ("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin")
NO_CAPABILITY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
FOREIGN = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SOMEONE_ELSE - [0:0]
-A PREROUTING -p tcp -m tcp --dport 7000 -j SOMEONE_ELSE
-A OUTPUT -d 198.51.100.7/32 -p tcp -m tcp --dport 7000 -j SOMEONE_ELSE
-A SOMEONE_ELSE -p tcp -j REDIRECT --to-ports 7001
COMMIT
"""
RICH = {
    "ignoreSrcIps": ["10.1.0.2", "fd00:1::/64"],
    "ignoreDstIps": ["10.2.0.0/16", "*"],
    "ignoreSrcHosts": ["localhost"],
    "ignoreInboundPorts": [9090, 9091],
    "ignoreOutboundPorts": [5432],
    "trackLoopback": True,
    "nodeTraffic": False,
}


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("rules", [{}, RICH], ids=["plain", "rich"])
def test_the_same_rules_however_often_they_are_written(empty: Any, backend: str, rules: dict[str, Any]) -> None:
    first = empty.capture(rules=rules, IPTABLES_BACKEND=backend)
    once = empty.saved()
    assert "SPEEDSCALE_OUT" in once
    second = empty.capture(rules=rules, IPTABLES_BACKEND=backend)
    assert empty.saved() == once
    assert (first.event["event"], second.event["event"]) == ("rules_written", "rules_unchanged")
    assert first.event["digests"] == second.event["digests"]
    anew = empty.capture(rules=rules, IPTABLES_BACKEND=backend, REINITIALIZE_IPTABLES="true")
    assert (anew.event["event"], empty.saved()) == ("rules_written", once)
    assert empty.program("iptables", "--check", IPTABLES_BACKEND=backend, CAPTURE_RULES=json.dumps(rules)).code == 0


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("foreign", ["", FOREIGN], ids=["alone", "beside others"])
def test_taken_out_nothing_is_left_and_nothing_else_is_gone(empty: Any, backend: str, foreign: str) -> None:
    if backend == "legacy":  # its tables are there from the first look on, and stay
        for program in ("iptables-legacy", "ip6tables-legacy"):
            empty.pod.sh(program, "-t", "nat", "-S")
    if foreign:
        empty.pod.sh(f"iptables-{backend}-restore", text=foreign)
    before = empty.saved()
    empty.capture(rules=RICH, IPTABLES_BACKEND=backend)
    assert empty.saved() != before
    removed = empty.capture("--remove", IPTABLES_BACKEND=backend)
    assert removed.event["event"] == "rules_removed"
    assert empty.saved() == before
    assert empty.capture("--remove", IPTABLES_BACKEND=backend).event["event"] == "rules_none"
    assert empty.saved() == before


def test_capture_and_routes_take_out_their_own(empty: Any) -> None:
    before = empty.saved()
    routes = {"RESPONDER_ROUTES": '{"198.51.100.7:443": "10.96.12.7:443", "[2001:db8::7]:443": "10.96.12.7:443"}'}
    assert empty.program("routes", **routes).code == 0
    only_routes = empty.saved()
    empty.capture()
    both = empty.saved()
    assert empty.program("routes", **routes).event["event"] == "rules_unchanged"
    assert empty.saved() == both
    empty.capture("--remove")
    assert empty.saved() == only_routes
    assert empty.program("routes", "--remove").code == 0
    assert empty.saved() == before


def test_removal_needs_no_settings(empty: Any) -> None:
    before = empty.saved()
    empty.capture()
    done = empty.program("iptables", "--remove", CAPTURE_RULES="{nonsense", PROXY_IN_PORT="x")
    assert done.code == 0, done.err
    assert empty.saved() == before


@pytest.mark.parametrize("mode", ["dual", "forward", "reverse"])
def test_other_modes_redirect_nothing_and_clear_up(empty: Any, mode: str) -> None:
    before = empty.saved()
    assert empty.capture(PROXY_TYPE=mode).event["event"] == "rules_none"
    assert empty.saved() == before
    empty.capture()
    assert empty.capture(PROXY_TYPE=mode).event["event"] == "rules_removed"
    assert empty.saved() == before


def test_new_settings_take_the_place_of_the_old(empty: Any) -> None:
    empty.capture(rules={"trackLoopback": True, "ignoreInboundPorts": [9090]})
    assert "SPEEDSCALE_LO" in empty.saved()
    empty.capture()
    after = empty.saved()
    assert "SPEEDSCALE_LO" not in after
    assert "9090" not in after
    assert after.count("-j SPEEDSCALE_OUT") == after.count("-j SPEEDSCALE_IN") == 2


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(empty: Any) -> None:
    before = empty.saved()
    shown = empty.capture("--dry-run", rules={"ignoreInboundPorts": [9090]}).out
    assert empty.saved() == before
    texts = shown.split("# ipv6 nat\n")
    empty.pod.sh("iptables-nft-restore", "--noflush", text=texts[0])
    empty.pod.sh("ip6tables-nft-restore", "--noflush", text=texts[1])
    assert empty.capture(rules={"ignoreInboundPorts": [9090]}).event["event"] == "rules_unchanged"
    assert empty.capture("--print", rules={"ignoreInboundPorts": [9090]}).out == (
        "# ipv4 nat: nothing to change\n# ipv6 nat: nothing to change\n"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["-t", "nat", "-A", "SPEEDSCALE_OUT", "-j", "RETURN"], "not ours: -A SPEEDSCALE_OUT -j RETURN"),
        (["-t", "nat", "-D", "PREROUTING", "1"], "missing: -A PREROUTING -p tcp -j SPEEDSCALE_IN"),
        (["-t", "nat", "-D", "SPEEDSCALE_OUT", "2"], "missing: -A SPEEDSCALE_OUT -m owner --uid-owner 2102 -j RETURN"),
        (["-t", "nat", "-I", "OUTPUT", "-p", "udp", "-j", "RETURN"], "is not the first rule of OUTPUT any more"),
        (["-t", "nat", "-F"], "missing: -A SPEEDSCALE_OUT -p tcp -j REDIRECT --to-ports 4140"),
    ],
)
def test_a_change_since_is_found_and_mended(empty: Any, change: list[str], told: str) -> None:
    empty.capture()
    written = empty.saved()
    assert empty.program("iptables", "--check").code == 0
    empty.pod.sh("iptables-nft", *change)
    checked = empty.program("iptables", "--check")
    assert checked.code == 1
    assert told in checked.out
    empty.capture()
    assert empty.program("iptables", "--check").code == 0
    mended = empty.saved().replace("-A OUTPUT -p udp -j RETURN\n", "")
    assert mended.replace(":made", "") == written.replace(":made", "")


def test_names_that_resolve_otherwise_by_now_are_no_change(empty: Any) -> None:
    empty.capture(rules={"ignoreDstHosts": ["localhost"]})
    checked = empty.program("iptables", "--check", CAPTURE_RULES="{}")
    assert checked.code == 0
    assert "as written; settings or names would give other rules today" in checked.notes


def test_net_admin_is_enough_with_nftables(empty: Any) -> None:
    done = empty.program("iptables", before=ONLY_NET_ADMIN, CAPTURE_RULES=json.dumps(RICH))
    assert done.code == 0, done.err
    assert "SPEEDSCALE_OUT" in empty.saved()


@pytest.mark.parametrize(
    ("before", "backend", "lacks"),
    [
        (NO_CAPABILITY, "nft", "capability NET_ADMIN"),
        (NO_CAPABILITY, "auto", "capability NET_ADMIN"),
        (ONLY_NET_ADMIN, "legacy", "capability NET_RAW"),
    ],
)
def test_a_missing_right_is_named_and_nothing_is_half_done(
    empty: Any, before: tuple[str, ...], backend: str, lacks: str
) -> None:
    there = empty.saved()
    log = empty.pod.folder / "termination-log"
    log.touch()
    environment = {"IPTABLES_BACKEND": backend, "TERMINATION_LOG": str(log)}
    done = empty.program("iptables", before=before, **environment)
    assert done.code == 2
    assert lacks in done.err
    assert empty.saved() == there
    assert json.loads(log.read_text())["cause"] == "no_right"
    passed = empty.program("iptables", before=before, ON_FAILURE="pass", **environment)
    assert passed.code == 0
    assert lacks in passed.err
    if backend != "legacy":  # whose absence can be seen without any right
        assert empty.program("iptables", "--check", before=before, ON_FAILURE="pass", **environment).code == 2


def test_legacy_rules_decide_for_legacy_and_are_told_where_they_cannot_be_seen(empty: Any) -> None:
    empty.pod.sh("iptables-legacy-restore", text=FOREIGN)
    there = empty.saved()
    unseen = empty.program("iptables", "--print", before=ONLY_NET_ADMIN)
    assert unseen.code == 0
    assert "cannot be seen without the capability NET_RAW" in unseen.notes
    seen = empty.capture()
    assert seen.event["backend"] == "legacy"
    assert "rules of another program redirect here too" in seen.notes
    empty.capture("--remove")
    assert empty.saved().startswith(there[:200])
    assert "SPEEDSCALE" not in empty.saved()


def test_the_container_s_last_words_name_the_rules(empty: Any) -> None:
    log = empty.pod.folder / "termination-log"
    log.touch()
    done = empty.capture(TERMINATION_LOG=str(log))
    said = json.loads(log.read_text())
    assert (said["state"], said["backend"]) == ("written", "nft")
    assert said["digests"] == done.event["digests"]
    assert all(digest in empty.saved() for digest in said["digests"].values())


def test_without_ipv6_it_says_so_and_goes_on(empty: Any) -> None:
    for name in ("all", "default", "lo", "eth0"):
        empty.pod.sh("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    done = empty.capture()
    assert "IPv6 is left out: this pod has none" in done.notes
    assert list(done.event["digests"]) == ["ipv4 nat"]


def test_the_node_s_network_is_left_alone(empty: Any) -> None:
    before = empty.saved()
    done = empty.program("iptables", STATUS_POD_IP=empty.node.v4)
    assert done.code == 2
    assert "hostNetwork" in done.err
    assert empty.saved() == before


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CAPTURE_RULES": '{"ignoreDstIp": []}'}, "did you mean 'ignoreDstIps'"),
        ({"CAPTURE_RULES": '{"ignoreDstIps": ["10.0.0.300"]}'}, "CAPTURE_RULES.ignoreDstIps: '10.0.0.300': expected"),
        ({"CAPTURE_RULES": '{"ignoreInboundPorts": [70000]}'}, "CAPTURE_RULES.ignoreInboundPorts[0]: 70000"),
        ({"CAPTURE_RULES": "[1]"}, "CAPTURE_RULES: '[1]': expected a JSON object"),
        ({"PROXY_TYPE": "sideways"}, 'PROXY_TYPE: "sideways": expected one of'),
        ({"PROXY_IN_PORT": "4140"}, "PROXY_OUT_PORT: 4140: is PROXY_IN_PORT already"),
        ({"PROXY_UID": "0"}, "PROXY_UID"),
        ({"STATUS_HOST_IP": "here"}, "STATUS_HOST_IP: 'here': expected an IP address"),
        ({"REINITIALIZE_IPTABLES": "perhaps"}, "REINITIALIZE_IPTABLES"),
    ],
)
def test_bad_settings_are_refused_by_name(empty: Any, environment: dict[str, str], told: str) -> None:
    before = empty.saved()
    done = empty.program("iptables", **environment)
    assert done.code == 2
    assert told in done.err
    assert empty.saved() == before
    assert empty.program("iptables", ON_FAILURE="pass", **environment).code == 0, "never in the way"
