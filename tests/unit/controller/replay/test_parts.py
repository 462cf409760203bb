"""Model, matching, routing, addresses, plan, status, summary, readiness: what replays are decided from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_controller.replay import (
    ALLOW_FROM,
    Replay,
    addresses,
    consents,
    hold,
    in_force,
    matching,
    names,
    namespaces_in_use,
    plan,
    routing,
    summary,
)
from speedscale_controller.replay.holding import is_wanted, waits_for
from speedscale_controller.replay.memory import Memory, WorkloadPatch
from speedscale_controller.replay.plan import Surroundings
from speedscale_controller.replay.readiness import Pods, Why, ending, readiness
from speedscale_controller.replay.status import Condition, Status, Type
from speedscale_kube import Ref
from speedscale_schemas.validation import check

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
CHECKOUT = Ref("apps/v1", "Deployment", "shop", "checkout")
KEYS = ("a:api.shop:80", "a:billing.shop:80", "b:billing.example.com:443")


@dataclass(frozen=True)
class Key:
    key: str
    service: str = "app"
    host: str = "api.example.com"
    port: int = 80
    protocol: str = "http"
    requests: int = 1


def obj(name: str = "yucca", *, status: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": "2026-01-31T12:00:00Z"}
    return {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": meta,
        "spec": {"snapshotID": "s", "testConfigID": "standard", **spec},
        "status": dict(status or {}),
    }


def one(**workload: Any) -> dict[str, Any]:
    return {"ref": {"name": "checkout"}, **workload}


# Model


def test_the_deprecated_workload_ref_gets_every_test_and_mock() -> None:
    made = Replay.read(obj(workloadRef={"name": "checkout"}))
    (workload,) = made.workloads
    assert (workload.ref, workload.tests, workload.mocks, workload.routing) == (CHECKOUT, ("*",), ("*",), "hostalias")


def test_deprecated_keys_and_sidecars_are_folded_in_and_told() -> None:
    made = Replay.read(
        obj(
            proxyMode="dual",
            sidecar={"inject": True, "patch": "e30=", "tls": {"out": True, "in": {"secret": "tls", "public": "c"}}},
            workloads=[one(inTrafficKey="x", outTrafficKeys=["y"])],
        )
    )
    (workload,) = made.workloads
    assert (workload.tests, workload.mocks) == (("x",), ("y",))
    assert dict(workload.annotations) == {
        "sidecar.speedscale.com/proxy-type": "dual",
        "sidecar.speedscale.com/inject": "true",
        "sidecar.speedscale.com/tls-out": "true",
        "sidecar.speedscale.com/tls-in-secret": "tls",
        "sidecar.speedscale.com/tls-in-public": "c",
    }


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1h30m", 5400), ("0", 0), ("0s", 0), (None, None)])
def test_durations(text: str | None, seconds: float | None) -> None:
    assert Replay.read(obj(timeout=text)).timeout_s == seconds


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_status_and_annotation_can_be_read(value: Any) -> None:
    Memory.read(json.dumps(value))
    Memory.read(str(value))


def test_a_memory_comes_back_as_it_was() -> None:
    patch = WorkloadPatch(name="y", report_id="r", host_aliases={"a": "1"}, trust=True)
    kept = Memory("s", "full-replay", {"shop": "-y"}, {CHECKOUT: patch}, released=True)
    assert Memory.read(kept.text()) == kept


@pytest.mark.parametrize("name", ["a", "abstract-yucca", "x" * 40, "x" * 41, "a.b", "a" * 253, "a-" * 20 + "b"])
def test_names_of_objects(name: str) -> None:
    made = names.short(name)
    assert len(made) <= 40
    assert names._PLAIN.fullmatch(made)
    assert (made == name) == (len(name) <= 40 and "." not in name)
    assert names.object_name(name, "shop", "shop") == made
    assert names.object_name(name, "shop", "other") != names.object_name(name, "bar", "other") != made


# Matching


@pytest.mark.parametrize(
    ("pattern", "key", "said"),
    [
        ("a:api.shop:80", "a:api.shop:80", ""),
        ("api", "a:api.shop:80", ""),
        ("billing", None, "fits 2 keys: a:billing.shop:80, b:billing.example.com:443"),
        ("443", "b:billing.example.com:443", ""),
        ("a:api.shp:80", None, "did you mean a:api.shop:80?"),
        ("zzz", None, "there is a:api.shop:80"),
    ],
)
def test_one_key(pattern: str, key: str | None, said: str) -> None:
    found, problem = matching.one(pattern, KEYS, "spec.x", "tests")
    assert found == key
    assert said in problem
    assert bool(problem) == (key is None)


def test_a_test_runs_once_and_a_star_is_what_is_left() -> None:
    claims, problems = matching.tests([("w0", ["*"]), ("w1", ["api"])], KEYS)
    assert claims == [(KEYS[1], KEYS[2]), (KEYS[0],)]
    assert problems == []
    _, problems = matching.tests([("w0", ["api"]), ("w1", ["a:api.shop:80"])], KEYS)
    assert problems == ["w1.tests[0]: a:api.shop:80 is claimed by w0 already; a test runs once"]
    _, problems = matching.tests([("w0", ["*"]), ("w1", ["*"])], KEYS)
    assert len(problems) == 1


def test_a_star_of_nothing_is_no_problem() -> None:
    assert matching.tests([("w0", ["*"])], ()) == ([()], [])
    assert matching.mocks(["*"], (), "w0") == ((), [])


@given(st.lists(st.lists(st.sampled_from([*KEYS, "api", "443"]), max_size=3), max_size=4))
def test_no_test_is_ever_claimed_twice(wanted: list[list[str]]) -> None:
    claims, _ = matching.tests([(f"w{i}", p) for i, p in enumerate(wanted)], KEYS)
    flat = [key for claim in claims for key in claim]
    assert len(flat) == len(set(flat))


# Routing


def test_hosts_that_speak_plain_text_anywhere_are_of_the_plain_service() -> None:
    found = routing.routes(
        [
            Key("1", host="a", port=443, protocol="https"),
            Key("2", host="b", port=443, protocol="https"),
            Key("3", host="b"),
        ]
    )
    assert [(r.host, r.ports, r.service, r.tls) for r in found] == [
        ("a", (443,), "https", True),
        ("b", (80, 443), "http", True),
    ]
    assert [p["port"] for p in routing.service_ports(found, "http")] == [80, 443]
    addresses_ = {"http": "10.0.0.1", "https": "fd00::1"}
    assert routing.host_aliases(found, addresses_) == {"a": "fd00::1", "b": "10.0.0.1"}
    assert routing.nat(found, addresses_) == {"a:443": "[fd00::1]:443", "b:80": "10.0.0.1:80", "b:443": "10.0.0.1:443"}


@pytest.mark.parametrize(
    ("key", "how", "said"),
    [
        (Key("x", protocol="postgres"), "hostalias", "protocol postgres cannot be mocked yet"),
        (Key("x", port=0), "hostalias", "on which port"),
        (Key("x", host="localhost"), "nat", "stays in the pod"),
        (Key("x", host="127.0.0.1"), "nat", "stays in the pod"),
        (Key("x", host="10.1.2.3"), "hostalias", "use routing: nat"),
        (Key("x", host="10.1.2.3"), "nat", ""),
        (Key("x", host="*.example.com"), "hostalias", "no host name"),
        (Key("x"), "hostalias", ""),
    ],
)
def test_what_cannot_be_mocked_says_why(key: Key, how: str, said: str) -> None:
    why = routing.why_not(key, how)
    assert said in why
    assert bool(why) == bool(said)


# Addresses


def workload(**labels: str) -> dict[str, Any]:
    container = {"name": "app", "ports": [{"name": "web", "containerPort": 8080}]}
    template = {"metadata": {"labels": labels or {"app": "checkout"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "checkout"}}, "template": template},
    }


def service(name: str, *ports: tuple[int, int | str], **spec: Any) -> dict[str, Any]:
    made = [{"port": port, "targetPort": target} for port, target in ports]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "checkout"}, "ports": made, **spec}}


@pytest.mark.parametrize(
    ("services", "port", "url"),
    [
        ([service("web", (80, 8080))], 80, "http://web.shop.svc:80"),
        ([service("web", (80, "web"))], 8080, "http://web.shop.svc:80"),
        ([service("web", (80, 8080))], 9999, "http://web.shop.svc:80"),
        ([service("web", (80, 8080), (9090, 9090))], 9090, "http://web.shop.svc:9090"),
        ([service("web", (80, 8080), (9090, 9090))], 1, ""),
        ([service("zz", (80, 8080)), service("aa", (80, 8080), clusterIP="None")], 80, "http://zz.shop.svc:80"),
        ([service("aa", (80, "web"), clusterIP="None")], 80, "http://aa.shop.svc:8080"),
        ([service("web", (80, 8080), type="ExternalName")], 80, ""),
        ([service("web", (80, 8080), selector={"app": "other"})], 80, ""),
        ([service("web", (80, 8080), selector={})], 80, ""),
    ],
)
def test_the_service_of_a_workload(services: list[dict[str, Any]], port: int, url: str) -> None:
    found, problem = addresses.of_workload(workload(), services, Key("k", port=port))
    assert found == url
    assert bool(problem) == (not url)


@pytest.mark.parametrize("url", ["http://x:80", "https://x/", ":8080", "x.shop.svc", "http://[::1]:80"])
def test_addresses_that_are_given(url: str) -> None:
    assert addresses.given(url, "spec.customURL") == (url.rstrip("/"), "")


@pytest.mark.parametrize("url", ["", "http://x/path", "http://x?y", "a=b", "ftp://x"])
def test_addresses_that_are_none(url: str) -> None:
    assert addresses.given(url, "spec.customURL")[1]


def test_several_targets_are_told_apart_by_service_or_host() -> None:
    one_, two, three = Key("1", "a", "x"), Key("2", "b", "y"), Key("3", "b", "z")
    assert addresses.custom_urls([(one_, "u1"), (two, "u1")]) == ("u1", [])
    assert addresses.custom_urls([(one_, "u1"), (two, "u2")]) == ("a=u1,b=u2", [])
    assert addresses.custom_urls([(two, "u1"), (three, "u2")]) == ("y=u1,z=u2", [])
    same = replace(two, key="4")
    assert len(addresses.custom_urls([(two, "u1"), (same, "u2")])[1]) == 2
    assert addresses.custom_urls([]) == ("", [])


# Plan


@dataclass(frozen=True)
class Index:
    id: str = "s"
    tests: Mapping[str, Any] = None  # type: ignore[assignment]
    mocks: Mapping[str, Any] = None  # type: ignore[assignment]
    secrets: tuple[tuple[str, str], ...] = ()


def index(tests: tuple[Key, ...] = (Key("t"),), mocks: tuple[Key, ...] = (Key("m"),), **more: Any) -> Index:
    return Index(tests={k.key: k for k in tests}, mocks={k.key: k for k in mocks}, **more)


def around(**more: Any) -> Surroundings:
    return Surroundings(
        **{"workloads": {CHECKOUT: workload()}, "services": {"shop": (service("web", (80, 8080)),)}, **more}
    )


def planned(spec: dict[str, Any], found: Index | None = None, **more: Any) -> tuple[Any, tuple[str, ...]]:
    return plan(
        Replay.read(obj(**spec)), found or index(), {"id": "standard", **more.pop("config", {})}, around(**more)
    )


def test_a_plan() -> None:
    made, problems = planned({"workloads": [one(tests=["*"], mocks=["*"])]})
    assert problems == ()
    assert (made.mode, made.cleanup, made.tests, made.all_tests) == ("full-replay", "inventory", ("t",), True)
    assert made.custom_urls == "http://web.shop.svc:80"
    assert made.responders == ("shop",)
    assert made.selector == "app=checkout"


def test_the_test_config_decides_what_the_replay_leaves_open() -> None:
    config = {"cluster": {"replayMode": "responder-only", "cleanup": "none"}}
    made, _ = planned({"workloads": [one(mocks=["*"])]}, config=config)
    assert (made.mode, made.cleanup) == ("responder-only", "none")
    made, _ = planned({"workloads": [one(tests=["*"])], "mode": "full-replay", "cleanup": "all"}, config=config)
    assert (made.mode, made.cleanup) == ("full-replay", "all")


def test_a_star_leaves_out_what_cannot_be_mocked_and_a_name_refuses() -> None:
    found = index(mocks=(Key("m"), Key("pg:db:5432", protocol="postgres")))
    made, problems = planned({"workloads": [one(tests=["*"], mocks=["*"])]}, found)
    assert problems == ()
    assert made.mocks("shop") == ("m",)
    assert any("pg:db:5432 is not mocked: protocol postgres" in note for note in made.notes)
    _, problems = planned({"workloads": [one(tests=["*"], mocks=["pg"])]}, found)
    assert "pg:db:5432: protocol postgres cannot be mocked yet" in problems[0]


@pytest.mark.parametrize(
    ("spec", "more", "said"),
    [
        ({"workloads": [one(tests=["nope"])]}, {}, "is no key of the snapshot's tests"),
        ({"workloads": [one(tests=["*"], mocks=["nope"])]}, {}, "is no key of the snapshot's mocks"),
        ({"workloads": [one(tests=["*"])]}, {"workloads": {}}, "there is no Deployment shop/checkout"),
        ({"workloads": [one(tests=["*"])]}, {"watched": ("bar",)}, "does not work in namespace shop, only in bar"),
        ({"workloads": [one(tests=["*"])]}, {"services": {}}, "no Service leads to Deployment shop/checkout"),
        ({"workloads": [one(tests=["*"]), one()]}, {}, "stands there twice"),
        ({"workloads": [one()]}, {}, "no workload has tests"),
        ({}, {}, "give customURL or workloads"),
        ({"customURL": "http://x/path"}, {}, "without a path"),
    ],
)
def test_what_cannot_be_is_told(spec: dict[str, Any], more: dict[str, Any], said: str) -> None:
    made, problems = planned(spec, **more)
    assert made is None
    assert any(said in problem for problem in problems)


def test_secrets_outside_the_list_are_refused() -> None:
    found = index(secrets=(("login", "password"), ("login", "user")))
    made, problems = planned({"workloads": [one(tests=["*"])]}, found)
    assert made is None
    assert "Secret login (password, user), which is not in secretAccessList (empty)" in problems[0]
    for allowed in ("login", "*"):
        made, _ = planned({"workloads": [one(tests=["*"])]}, found, secret_access=(allowed,))
        assert made.secrets == {"login": ("password", "user")}


def test_an_address_alone_gets_every_test() -> None:
    made, problems = planned({"customURL": "https://staging.example.com", "mode": "generator-only"})
    assert problems == ()
    assert (made.tests, made.custom_urls, made.changed) == (("t",), "https://staging.example.com", ())


# Holding


def test_of_two_replays_the_one_that_began_has_the_workload() -> None:
    spec: dict[str, Any] = {"workloads": [one(tests=["*"])]}
    first, second = Replay.read(obj("b", **spec)), Replay.read(obj("a", **spec))
    assert waits_for(first, [first, second]) is second
    begun = Replay.read(obj("b", status={"startedTime": "2026-01-31T12:00:01Z"}, **spec))
    assert waits_for(second, [begun, second]) is begun
    assert waits_for(begun, [begun, second]) is None
    other = Replay.read(obj("a", mode="generator-only", **spec))
    assert waits_for(first, [first, other]) is None
    assert waits_for(other, [begun, other]) is None


def test_an_ended_replay_holds_what_it_has_not_given_back() -> None:
    spec: dict[str, Any] = {"workloads": [one(tests=["*"])]}
    ended: dict[str, Any] = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "TestFailed", "message": "m"}]
    }
    patch = WorkloadPatch(name="b", report_id="r")
    old = replace(Replay.read(obj("b", status=ended, **spec)), memory=Memory(patches={CHECKOUT: patch}))
    new = Replay.read(obj("a", **spec))
    assert waits_for(new, [old, new]) is old
    assert is_wanted(old, [old, new])
    assert waits_for(new, [replace(old, memory=old.memory.done()), new]) is None


def noted(name: str, patches: Mapping[Ref, WorkloadPatch], **more: Any) -> dict[str, Any]:
    made = obj(name, workloads=[one(tests=["*"])], **more)
    made["metadata"]["annotations"] = {names.STATE: Memory(patches=patches).text()}
    return made


def test_what_is_in_force() -> None:
    mine, theirs = WorkloadPatch(name="a", report_id="1"), WorkloadPatch(name="b", report_id="2")
    ended: dict[str, Any] = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "TestFailed", "message": "m"}]
    }
    old, new = hold(noted("a", {CHECKOUT: mine}, status=ended)), hold(noted("b", {CHECKOUT: theirs}))
    every = lambda home, namespace: True  # noqa: E731
    assert in_force([old, new], every) == in_force([new, old], every) == {CHECKOUT: theirs}
    assert in_force([old], every) == {CHECKOUT: mine}
    elsewhere = Ref("apps/v1", "Deployment", "kube-system", "dns")
    assert in_force([hold(noted("a", {elsewhere: mine}))], every) == {}, "a note of what the replay does not name"
    asked: list[tuple[str, str]] = []

    def nobody(home: str, namespace: str) -> bool:
        asked.append((home, namespace))
        return False

    assert in_force([old], nobody) == {}
    assert asked == [("shop", "shop")], "a note of what its namespace does not consent to"


@pytest.mark.parametrize(
    ("home", "target", "word", "expected"),
    [
        ("shop", "shop", None, True),
        ("speedscale", "shop", None, True),
        ("ci", "shop", None, False),
        ("ci", "shop", "", False),
        ("ci", "shop", "dev, ci", True),
        ("ci", "shop", "dev,ci2", False),
        ("ci", "shop", "*", True),
        ("", "shop", ",", False),
    ],
)
def test_another_namespace_has_to_consent(home: str, target: str, word: str | None, expected: bool) -> None:
    assert consents(home, target, "speedscale", {} if word is None else {ALLOW_FROM: word}) is expected


def test_a_plan_without_consent_says_whose() -> None:
    spec = {"workloads": [{"ref": {"name": "checkout", "namespace": "other"}, "tests": ["*"]}]}
    _, problems = planned(spec, closed=frozenset({"other"}))
    assert "spec.workloads[0]: namespace other does not allow replays from shop" in problems[0]
    assert "kubectl annotate namespace other replay.speedscale.com/allow-from=shop" in problems[0]


def test_namespaces_in_use() -> None:
    made = obj(workloads=[{"ref": {"name": "x", "namespace": "bar"}}])
    assert namespaces_in_use(made) == {"shop", "bar"}
    ended: dict[str, Any] = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "TestFailed", "message": "m"}]
    }
    assert namespaces_in_use({**made, "status": ended}) == set()


# Status


def test_the_newest_condition_stands_last_and_the_verdict_behind_all() -> None:
    status = Status(generation=2).told("MocksReady", True, "Serving", "", NOW).told("Running", True, "A", "a", NOW)
    assert [c.type for c in status.conditions] == ["MocksReady", "Running"]
    status = status.told("MocksReady", False, "Ended", "", NOW)
    assert [c.type for c in status.conditions] == ["Running", "MocksReady"]
    assert status.told("MocksReady", False, "Ended", "", NOW) is status
    done = status.told(Type.READY, True, "TestFailed", "Failed: Missed Goals", NOW)
    assert done.told(Type.READY, True, "TestSucceeded", "Passed", NOW) is done
    assert done.told("Running", False, "CleanedUp", "", NOW).conditions[-1].type == "Ready"
    assert Status.read(done.document()) == done


def test_a_message_change_keeps_the_time_of_the_last_transition() -> None:
    first = Status().told("Running", True, "A", "a", NOW)
    later = first.told("Running", True, "B", "b", NOW.replace(hour=13))
    assert later.conditions[0].since == first.conditions[0].since
    assert later.told("Running", False, "B", "b", NOW.replace(hour=14)).conditions[0].since == "2026-01-31T14:00:00Z"


def test_the_status_keeps_to_its_schema() -> None:
    status = Status(generation=1, active=True, started="2026-01-31T12:00:00Z", report_id="r")
    status = status.told("Running", True, "A", "x" * 40_000, NOW)
    document = {**obj(), "status": status.document()}
    assert check("trafficreplay", document) == []
    assert Condition.read({}).status == "Unknown"


# Summaries


def test_summaries_of_several_pods_are_sums_with_the_worst_state() -> None:
    passed = {"version": 1, "state": "Passed", "requests": 3, "errors": 0, "latency": {"p50": 1.0}}
    missed = {
        **passed,
        "state": "Missed Goals",
        "requests": 4,
        "goals": [{"command": "c", "expected": "1", "actual": "2"}],
    }
    made = summary.merge([passed, missed, passed])
    assert check("replay-summary", made) == []
    assert (made["state"], made["requests"]) == ("Missed Goals", 10)
    assert "latency" not in made
    assert summary.verdict(made).message == "Failed: Missed Goals"


@pytest.mark.parametrize(
    "text", ["", "no json", "{}", '{"state": "Passed"}', '{"state":"Fine","requests":1,"errors":0}']
)
def test_what_is_no_summary_is_an_error_that_quotes_it(text: str) -> None:
    made = summary.read(text, "pod-0")
    assert made["state"] == "Error"
    assert "pod-0" in made["reason"]
    assert text in made["reason"]
    assert check("replay-summary", made) == []
    assert not summary.verdict(made).passed


# Causes


def pod(name: str = "p", phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": "1"}, "status": {"phase": phase, **status}}


def container(**state: Any) -> dict[str, Any]:
    return {"name": "app", "image": "shop:1", "ready": False, "restartCount": 2, **state}


def event(reason: str, message: str, about: str = "p") -> dict[str, Any]:
    return {"type": "Warning", "reason": reason, "message": message, "involvedObject": {"name": about}}


CAUSES: list[tuple[Pods, Why, str]] = [
    (Pods((pod(containerStatuses=[container(state={"waiting": {"reason": "ErrImagePull", "message": "no"}})]),)),
     Why.IMAGE, "image shop:1: ErrImagePull: no"),
    (Pods((pod(containerStatuses=[container(state={"waiting": {"reason": "CrashLoopBackOff"}},
                                            lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})]),),
          (), {"p": "boot\nout of memory"}),
     Why.CRASH, "needs more memory than its limit, 2 restarts; its last lines: boot | out of memory"),
    (Pods((pod(containerStatuses=[container(state={"terminated": {"exitCode": 1, "message": "exec format error"}})]),)),
     Why.CRASH, "built for another architecture?"),
    (Pods((pod(containerStatuses=[container(state={"waiting": {"reason": "CreateContainerConfigError",
                                                               "message": 'secret "x" not found'}})]),)),
     Why.CONFIG, 'secret "x" not found'),
    (Pods((pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]),)),
     Why.SCHEDULING, "cannot be scheduled: 0/3 nodes"),
    (Pods((pod(phase="Running"),), (event("Unhealthy", "Readiness probe failed: 503"),)), Why.PROBE,
     "probe failed: 503"),
    (Pods((pod(),), (event("FailedMount", "no secret"),)), Why.VOLUME, "waits for a volume: no secret"),
    (Pods((), (event("FailedCreate", "exceeded quota: q", "checkout"),)), Why.QUOTA, "a quota refuses its pods"),
    (Pods((), (event("FailedCreate", 'violates PodSecurity "restricted"', "checkout"),)), Why.POD_SECURITY,
     "restricted"),
    (Pods((), (event("FailedCreate", "admission webhook denied", "checkout"),)), Why.WEBHOOK, "a webhook refuses"),
    (Pods(), Why.NO_PODS, "no pod of it exists yet"),
    (Pods((pod(),)), Why.STARTING, "is being started"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pods", "why", "said"), CAUSES, ids=[str(why) + str(n) for n, (_, why, _) in enumerate(CAUSES)]
)
def test_causes(pods: Pods, why: Why, said: str) -> None:
    live = {**workload(), "metadata": {**workload()["metadata"], "generation": 1}, "status": {"observedGeneration": 1}}
    found = readiness(live, pods)
    assert (found.ready, found.why) == (False, why)
    assert said in found.message
    assert "no readiness probe" in found.warnings[0]


@pytest.mark.parametrize(
    ("kind", "status", "ready"),
    [
        ("Deployment", {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ("Deployment", {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ("Deployment", {"replicas": 1, "updatedReplicas": 0, "availableReplicas": 1}, False),
        ("Deployment", {"replicas": 1, "updatedReplicas": 1}, False),
        ("StatefulSet", {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ("DaemonSet", {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, True),
        ("DaemonSet", {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, False),
        ("DaemonSet", {}, False),
    ],
)
def test_rolled_out(kind: str, status: dict[str, int], ready: bool) -> None:
    made = {**workload(), "kind": kind, "status": {"observedGeneration": 1, **status}}
    made["metadata"]["generation"] = 1
    assert readiness(made).ready == ready
    made["metadata"]["generation"] = 2
    assert not readiness(made).ready


@pytest.mark.parametrize(
    ("told", "grace", "waited"),
    [
        (None, None, False),
        ("2026-01-02T03:04:35Z", 30, True),  # told just now
        ("2026-01-02T04:04:05Z", 3600, True),  # told just now; it may take an hour
        ("2026-01-02T04:02:00Z", 3600, False),  # told two minutes ago; every proxy knows by now
        ("2026-01-02T03:00:00Z", 30, False),  # its node is gone
        ("2026-01-02T03:04:05Z", 0, True),
    ],
)
def test_pods_that_end_are_waited_for(told: str | None, grace: int | None, waited: bool) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    meta = {"name": "checkout-1", "deletionTimestamp": told, "deletionGracePeriodSeconds": grace}
    still = ending([{"metadata": {key: value for key, value in meta.items() if value is not None}}], now)
    assert still == (["checkout-1"] if waited else [])
    made = {
        **workload(),
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    }
    made["metadata"]["generation"] = 1
    found = readiness(made, still=still)
    assert found.ready != waited
    assert not waited or (found.why == Why.ENDING and "1 pods of before are ending: checkout-1" in found.message)
