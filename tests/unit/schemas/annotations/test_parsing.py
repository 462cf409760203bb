"""Parsing: never raises, gives types and defaults, names every problem; what a refusal means for injection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import CAPTURE, OPERATOR, REPLAY, SIDECAR, TABLE, Code, KeyPair, Problem, parse

S, C, OP, R = f"{SIDECAR}/", f"{CAPTURE}/", f"{OPERATOR}/", f"{REPLAY}/"
INJECT = {S + "inject": "true"}


def one(annotations: dict[str, Any], kind: str = "Deployment") -> Problem:
    """Return the only problem."""
    problems = parse(annotations, kind).problems
    assert len(problems) == 1, [str(p) for p in problems]
    return problems[0]


def test_a_full_workload() -> None:
    parsed = parse(
        {
            **INJECT,
            S + "proxy-type": "dual",
            S + "proxy-protocol": "tcp:http",
            S + "proxy-port": "8080",
            S + "tls-out": "true",
            S + "tls-java-tool-options": "true",
            S + "tls-in-secret": "pay-tls",
            S + "tls-mutual-private": "/etc/tls/key.pem",
            S + "tls-mutual-public": "/etc/tls/crt.pem",
            S + "cpu-limit": "1",
            S + "extra-container-env-vars": "A=1",
            "example.com/other": "x",
        },
        "Deployment",
    )
    assert parsed.problems == ()
    assert parsed.method == "sidecar"
    sidecar = parsed.sidecar
    assert (sidecar.proxy_type, sidecar.proxy_protocol, sidecar.proxy_port) == ("dual", "tcp:http", 8080)
    assert sidecar.tls_in == KeyPair("pay-tls", "tls.key", "tls.crt")
    assert sidecar.tls_mutual == KeyPair(None, "/etc/tls/key.pem", "/etc/tls/crt.pem")
    assert sidecar.extra_container_env_vars == (("A", "1"),)
    assert S + "tls-out" in parsed.given
    assert S + "memory-request" not in parsed.given


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({S + "inject": "True"}, Code.VALUE, 'accepted: true, false; did you mean "true"?'),
        ({S + "inject": "no"}, Code.VALUE, 'did you mean "false"?'),
        ({S + "inject": True}, Code.NOT_A_STRING, 'Kubernetes refuses the whole object; write "true"'),
        ({S + "proxy-port": 80}, Code.NOT_A_STRING, 'write "80"'),
        ({S + "inject": ["true"]}, Code.NOT_A_STRING, "is not a string"),
        ({S + "Inject": "true"}, Code.UNKNOWN, f"did you mean {S}inject?"),
        ({S + "tls_out": "true"}, Code.UNKNOWN, f"did you mean {S}tls-out?"),
        ({S + "proxyType": "dual"}, Code.UNKNOWN, f"did you mean {S}proxy-type?"),
        ({S + "ignore-dst-port": "1"}, Code.UNKNOWN, "did you mean sidecar.speedscale.com/ignore-"),
        ({S + "enabled": "true"}, Code.UNKNOWN, f"did you mean {C}enabled?"),
        ({"sidecars.speedscale.com/inject": "true"}, Code.UNKNOWN, f"did you mean {S}inject?"),
        ({"speedscale.com/inject": "true"}, Code.UNKNOWN, f"did you mean {S}inject?"),
        ({"sidecar.speedscale.com/zzzz": "true"}, Code.UNKNOWN, "is no annotation of ours"),
        ({**INJECT, S + "proxy-protocol": "tcp", S + "proxy-type": "dual"}, Code.CONFLICT, "tcp:http, tcp:socks"),
        ({**INJECT, S + "proxy-protocol": "tcp", S + "proxy-type": "forward"}, Code.CONFLICT, "http, socks"),
        ({**INJECT, S + "proxy-in-port": "4140"}, Code.CONFLICT, "port 4140, which is proxy-in-port already"),
        ({**INJECT, S + "proxy-out-port": "4144"}, Code.CONFLICT, "the sidecar's health port already"),
        ({**INJECT, S + "prometheus-port": "4143"}, Code.CONFLICT, "which is proxy-in-port already"),
        ({**INJECT, S + "cpu-limit": "5m"}, Code.CONFLICT, "below the request of 10m"),
        ({**INJECT, S + "memory-request": "2Gi", S + "memory-limit": "1G"}, Code.CONFLICT, "below the request"),
        ({**INJECT, S + "tls-in-private": "/a/key", S + "tls-in-public": "crt"}, Code.CONFLICT, "must be full paths"),
        ({**INJECT, S + "tls-in-private": "/a/key"}, Code.CONFLICT, "is missing (without it tls.crt)"),
        (
            {**INJECT, S + "tls-mutual-secret": "s", S + "tls-mutual-private": "/k"},
            Code.CONFLICT,
            "file in that Secret",
        ),
        ({**INJECT, C + "enabled": "true"}, Code.BOTH_METHODS, "neither is applied"),
        ({**INJECT, C + "java-agent": "true"}, Code.BOTH_METHODS, "neither is applied"),
        ({C + "enabled": "true", C + "java-agent": "true"}, Code.UNSUPPORTED, "does not exist yet"),
        ({C + "ignore-ports": ",".join(map(str, range(1, 18)))}, Code.VALUE, "at most 16 ports"),
        ({"sidecar.speedscale.io/inject": "true"}, Code.UNKNOWN, f"did you mean {S}inject?"),
    ],
)
def test_errors(given: dict[str, Any], code: Code, said: str) -> None:
    problem = one(given)
    assert (problem.code, problem.severity) == (code, "error")
    assert said in str(problem)
    assert parse(given, "Deployment").method == "none"


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({**INJECT, S + "proxy-type": "dual", S + "ignore-dst-ips": "*"}, Code.NO_EFFECT, "it is for transparent"),
        ({**INJECT, S + "proxy-host": "app"}, Code.NO_EFFECT, "it is for reverse, dual"),
        ({**INJECT, S + "proxy-protocol": "socks"}, Code.NO_EFFECT, "with proxy-type transparent"),
        (
            {**INJECT, S + "proxy-type": "forward", S + "proxy-in-port": "5000"},
            Code.NO_EFFECT,
            "with proxy-type forward",
        ),
        (
            {**INJECT, S + "tls-java-tool-options": "true"},
            Code.NO_EFFECT,
            'without sidecar.speedscale.com/tls-out: "true"',
        ),
        ({**INJECT, S + "kube-api-support": "true"}, Code.NO_EFFECT, "tls-out"),
        ({**INJECT, S + "ignore-loopback": "true", S + "track-loopback": "true"}, Code.NO_EFFECT, "leaves out"),
        ({**INJECT, OP + "ignore": "true"}, Code.NO_EFFECT, "operator.speedscale.com/ignore wins"),
        ({S + "tls-out": "true"}, Code.NO_EFFECT, 'without sidecar.speedscale.com/inject: "true"'),
        ({R + "mode": "full-replay"}, Code.NO_EFFECT, "without replay.speedscale.com/snapshot-id"),
        ({**INJECT, S + "tls-secret": "pay"}, Code.DEPRECATED, "use sidecar.speedscale.com/tls-in-secret"),
        ({R + "snapshot-id": "x", R + "cleanup": "all"}, Code.DESTRUCTIVE, "deletes this workload"),
    ],
)
def test_warnings(given: dict[str, Any], code: Code, said: str) -> None:
    problem = one(given)
    assert (problem.code, problem.severity) == (code, "warning")
    assert said in str(problem)
    if OP + "ignore" not in given and S + "inject" in given:
        assert parse(given, "Deployment").method == "sidecar"


@pytest.mark.parametrize(
    "given",
    [
        {**INJECT, C + "enabled": "false"},
        {S + "inject": "false", C + "enabled": "true"},
        {S + "inject": "false", S + "tls-out": "true"},
        {**INJECT, S + "prometheus-port": "4145"},
        {**INJECT, S + "proxy-type": "reverse", S + "proxy-in-port": "4140"},
        {**INJECT, S + "proxy-type": "reverse", S + "proxy-protocol": "tcp"},
        {
            **INJECT,
            S + "tls-java-tool-options-value": "-Dx",
            S + "tls-java-tool-options": "true",
            S + "tls-out": "true",
        },
        {
            **INJECT,
            S + "injected": "true",
            OP + "sut": "true",
            OP + "managed-by": "prod-1",
            R + "env-id": "abstract-yucca",
        },
        {"controlplane.speedscale.com/component": "operator", "sidecar.speedscale.com": "no slash", "a": "b"},
        {"speedscale.com/restartedAt": "now", "example.speedscale.com/other": "x", "not-speedscale.com/inject": "1"},
        {R + "snapshot-id": "x", R + "secrets": "a,b", R + "timeout": "10m", R + "sut-url": "http://a"},
    ],
)
def test_nothing_wrong(given: dict[str, str]) -> None:
    assert parse(given, "Deployment").problems == ()


def test_an_annotation_that_is_refused_draws_no_second_problem() -> None:
    assert one({**INJECT, S + "proxy-type": "dial", S + "ignore-dst-ips": "*"}).annotation == S + "proxy-type"
    assert one({**INJECT, S + "tls-out": "yes", S + "kube-api-support": "true"}).annotation == S + "tls-out"
    assert one({S + "inject": "yes", S + "tls-out": "true"}).annotation == S + "inject"


def test_a_refused_replay_does_not_keep_the_sidecar_out() -> None:
    parsed = parse({**INJECT, R + "snapshot-id": "$X"}, "Deployment")
    assert (parsed.method, parsed.replays) == ("sidecar", False)


def test_a_refused_sidecar_does_not_keep_the_replay_back() -> None:
    parsed = parse({S + "inject": "yes", R + "snapshot-id": "x"}, "Deployment")
    assert (parsed.method, parsed.replays) == ("none", True)


def test_ignore_wins_over_all() -> None:
    parsed = parse({OP + "ignore": "true", C + "enabled": "true", R + "snapshot-id": "x"}, "Deployment")
    assert (parsed.method, parsed.replays) == ("none", False)


def test_nettap() -> None:
    parsed = parse({C + "enabled": "true", C + "ignore-ports": "80,443"}, "StatefulSet")
    assert (parsed.method, parsed.capture.ignore_ports) == ("nettap", (80, 443))


def test_the_older_name_counts_unless_the_newer_is_there() -> None:
    assert parse({**INJECT, S + "tls-secret": "old"}, "Pod").sidecar.tls_in_secret == "old"
    assert parse({**INJECT, S + "tls-secret": "old", S + "tls-in-secret": "new"}, "Pod").sidecar.tls_in_secret == "new"


def test_the_operators_defaults_stand_in_for_what_is_absent() -> None:
    defaults = {S + "tls-out": "true", S + "cpu-limit": "700m"}
    parsed = parse({**INJECT, S + "cpu-limit": "1", S + "kube-api-support": "true"}, "Deployment", defaults=defaults)
    assert (parsed.sidecar.tls_out, parsed.sidecar.cpu_limit, parsed.problems) == (True, "1", ())
    assert parsed.given == {S + "inject", S + "cpu-limit", S + "kube-api-support"}
    assert parse({}, "Deployment", defaults={S + "tls-out": "yes"}).problems[0].code is Code.VALUE


def test_on_an_object_that_is_no_workload() -> None:
    problem = one({**INJECT, S + "tls-out": "true"}, "Service")
    assert problem.code is Code.WRONG_OBJECT
    assert "on a Service (and 1 more)" in str(problem)
    assert parse({OP + "managed-by": "prod"}, "TrafficReplay").problems == ()


NAMES = st.sampled_from([row.full_name for row in TABLE]) | st.text(max_size=30).map(
    lambda t: f"sidecar.speedscale.com/{t}"
)
WORDS = st.sampled_from([row.type.example for row in TABLE] + ["true", "false", "tcp", "dual", "all", "4140"])
VALUES: Any = WORDS | st.text(max_size=20) | st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=3))
MAPPINGS = st.dictionaries(NAMES | st.text(max_size=10), VALUES, max_size=12)


@given(MAPPINGS, st.sampled_from(["", "Deployment", "Service", "Pod"]))
def test_no_mapping_makes_it_raise(annotations: dict[str, Any], kind: str) -> None:
    parsed = parse(annotations, kind)
    assert parsed.method in ("sidecar", "nettap", "none")
    assert all(str(p) for p in parsed.problems)
    wrong = {name for name in annotations if notes.is_ours(name)} - parsed.given
    assert wrong <= {p.annotation for p in parsed.problems} | {n for n in wrong if len(n) > 200}


@given(MAPPINGS)
def test_the_order_of_keys_changes_nothing(annotations: dict[str, Any]) -> None:
    assert parse(annotations, "Pod") == parse(dict(reversed(annotations.items())), "Pod")


def test_no_mapping_key_of_another_type_makes_it_raise() -> None:
    mixed: Any = {1: "x", None: "y", (S, "inject"): "true", S + "inject": "true"}
    assert parse(mixed, "Deployment").method == "sidecar"
