"""What holds for any workload: taken out it is what it was, done twice it is done once, nothing raises."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_controller.injection import Facts, Inject, Leave, Remove, ReplayPatch, Skip, decide, patch

EXAMPLES = max(15, settings.default.max_examples // 4)  # of whole workloads, each against three sets of facts
SIDECAR = "sidecar.speedscale.com"
NAMES = st.sampled_from(["a", "b", "app", "worker", "istio-proxy"])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
KEYS = st.sampled_from(
    ["app", "team/name", "x~y", "prometheus.io/scrape", "traffic.sidecar.istio.io/excludeInboundPorts"]
)
VARIABLES = st.sampled_from(
    ["PORT", "JAVA_TOOL_OPTIONS", "SSL_CERT_FILE", "NO_PROXY", "HTTP_PROXY", "A=B", "EXTRA", "no_proxy", "x/y~z"]
)
EMPTY = st.sampled_from([None, "absent", "empty"])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values, or one of the ways in which there is none: null, absent, empty."""
    return st.one_of(st.none(), st.just("absent"), st.just("empty"), values)


def unique(items: st.SearchStrategy[Any], key: str, size: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=size, unique_by=lambda item: item[key])


VARIABLE = st.one_of(
    st.fixed_dictionaries({"name": VARIABLES, "value": TEXT}),
    st.fixed_dictionaries({"name": VARIABLES}),
    st.builds(
        lambda name, optional: {
            "name": name,
            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", **({"optional": True} if optional else {})}},
        },
        VARIABLES,
        st.booleans(),
    ),
)
MOUNT = st.fixed_dictionaries(
    {
        "name": st.just("data"),
        "mountPath": st.sampled_from(["/data", "/etc/ssl", "/etc/ssl/certs", "/etc/ssl/speedscale"]),
    }
)


@st.composite
def filled(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]], **kept: Any) -> dict[str, Any]:
    """Return an object whose fields are there, empty, null or absent."""
    found: dict[str, Any] = {**kept}
    for name, values in fields.items():
        value = draw(maybe(values))
        if value == "absent":
            continue
        found[name] = ({} if name in ("labels", "annotations") else []) if value == "empty" else value
    return found


@st.composite
def containers(draw: st.DrawFn) -> dict[str, Any]:
    # a list of variables may name one twice; the last counts
    made = draw(
        filled(
            {
                "env": st.lists(VARIABLE, min_size=1, max_size=4),
                "volumeMounts": unique(MOUNT, "mountPath"),
                "ports": st.lists(
                    st.fixed_dictionaries({"containerPort": st.sampled_from([80, 4143, 8080])}), min_size=1, max_size=2
                ),
                "envFrom": st.just([{"configMapRef": {"name": "settings"}}]),
            },
            name=draw(NAMES),
        )
    )
    if draw(st.booleans()):
        made["resources"] = {"limits": {"cpu": "1", "memory": "1Gi"}}
    return made


META = {
    "labels": st.dictionaries(KEYS, TEXT, min_size=1, max_size=2),
    "annotations": st.dictionaries(KEYS, TEXT, min_size=1, max_size=2),
}
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        f"{SIDECAR}/{name}": st.sampled_from(values)
        for name, values in {
            "tls-out": ["true", "false"],
            "tls-java-tool-options": ["true"],
            "tls-java-tool-options-value": ["-Xmx1g"],
            "proxy-type": ["transparent", "dual", "forward", "reverse"],
            "proxy-protocol": ["http", "tcp:socks"],
            "mount-known-ca": ["true"],
            "insert-init-first": ["true"],
            "diagnostics": ["true"],
            "extra-container-env-vars": ["EXTRA=1\nPORT=", "SSL_CERT_FILE=/own"],
            "tls-in-secret": ["checkout-tls"],
            "prometheus-enable-scrape-annotations": ["true"],
            "cpu-limit": ["1", "nonsense"],
        }.items()
    },
)


@st.composite
def workloads(draw: st.DrawFn, *, kinds: tuple[str, ...]) -> dict[str, Any]:
    kind = draw(st.sampled_from(kinds))
    spec = draw(
        filled(
            {
                "initContainers": unique(containers(), "name", 2),
                "volumes": unique(st.fixed_dictionaries({"name": NAMES}), "name"),
                "imagePullSecrets": unique(st.fixed_dictionaries({"name": NAMES}), "name"),
                "hostAliases": unique(
                    st.fixed_dictionaries(
                        {"ip": st.sampled_from(["10.0.0.1", "10.0.0.2"]), "hostnames": st.just(["h"])}
                    ),
                    "ip",
                ),
            },
            containers=draw(unique(containers(), "name")),
        )
    )
    taken = {c["name"] for c in spec["containers"]}
    if spec.get("initContainers"):
        spec["initContainers"] = [c for c in spec["initContainers"] if c["name"] not in taken]
    pod: dict[str, Any] = {"spec": spec}
    if kind == "Pod" or draw(st.booleans()):
        pod["metadata"] = draw(filled(META))
    obj: dict[str, Any] = {"kind": kind, "metadata": draw(filled(META, name="checkout", namespace="shop"))}
    if kind == "Pod":
        obj = {"kind": "Pod", "spec": spec, "metadata": {**pod["metadata"], "name": "checkout"}}
    elif kind == "CronJob":
        obj["spec"] = {"jobTemplate": {"spec": {"template": pod}}}
    else:
        obj["spec"] = {"template": pod}
    asked = {f"{SIDECAR}/inject": "true", **draw(SETTINGS)}
    obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), **asked}
    return obj


KINDS = ("Deployment", "Job", "CronJob", "Pod", "Rollout")
REPLAY = ReplayPatch(
    name="abstract-yucca",
    report_id="r1",
    host_aliases={"pay.example.com": "10.0.0.1", "db": "10.0.0.9"},
    routes={"pay.example.com:443": "10.0.0.1:443"},
    trust=True,
    env={"PORT": "1", "MOCKED": "yes"},
)
PATCH: dict[str, Any] = {
    "metadata": {"labels": {"x~y": "patched", "team/name": None}, "annotations": {"app": "patched"}},
    "spec": {
        "template": {
            "metadata": {"annotations": {"prometheus.io/scrape": "true"}},
            "spec": {
                "containers": [
                    {"name": "a", "env": [{"name": "PORT", "$patch": "delete"}, {"name": "x/y~z", "value": "1"}]},
                    {"name": "worker", "ports": [{"containerPort": 9090}], "volumeMounts": None},
                    {"name": "stub", "image": "stub:1"},
                ],
                "initContainers": [{"name": "b", "$patch": "delete"}],
                "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["patched"]}],
                "volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}],
            },
        }
    },
}


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def apply_patch(obj: Any, operations: list[dict[str, Any]]) -> Any:
    """Apply add, remove and replace of RFC 6902, as the API server does."""
    found = json.loads(json.dumps(obj))
    for operation in operations:
        *path, last = [t.replace("~1", "/").replace("~0", "~") for t in operation["path"].split("/")[1:]]
        parent = found
        for token in path:
            parent = parent[int(token)] if isinstance(parent, list) else parent[token]
        if isinstance(parent, list):
            index = int(last)
            if operation["op"] == "add":
                assert index <= len(parent)
                parent.insert(index, copy.deepcopy(operation["value"]))
            elif operation["op"] == "remove":
                del parent[index]
            else:
                parent[index] = operation["value"]
        elif operation["op"] == "remove":
            del parent[last]
        else:
            assert operation["op"] == "add" or last in parent
            parent[last] = operation["value"]
    return found


def quiet(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the workload with its wish taken back."""
    made = copy.deepcopy(obj)
    del made["metadata"]["annotations"][f"{SIDECAR}/inject"]
    return made


@pytest.fixture(scope="module", params=["capture", "replay", "patched replay", "old cluster"])
def known(request: pytest.FixtureRequest, facts_of: Any) -> Facts:
    found: Facts = {
        "capture": facts_of(pull_secrets=("registry", "a")),
        "replay": facts_of(replay=REPLAY),
        "patched replay": facts_of(replay=replace(REPLAY, patch=PATCH)),
        "old cluster": facts_of(version=(1, 27), labels={"istio-injection": "enabled"}),
    }[request.param]
    return found


@given(obj=workloads(kinds=KINDS))
@settings(max_examples=EXAMPLES)
def test_taken_out_it_is_what_it_was(obj: dict[str, Any], known: Facts, facts: Facts) -> None:
    before = canonical(obj)
    verdict = decide(obj, known)
    assert canonical(obj) == before
    assert isinstance(verdict, Inject | Skip)
    if isinstance(verdict, Skip):
        return
    assert canonical(apply_patch(obj, patch(obj, verdict.object))) == canonical(verdict.object)
    taken_out = decide(quiet(verdict.object), facts)
    assert isinstance(taken_out, Remove)
    assert canonical(taken_out.object) == canonical(quiet(obj))


@given(obj=workloads(kinds=KINDS))
@settings(max_examples=EXAMPLES)
def test_done_twice_it_is_done_once(obj: dict[str, Any], known: Facts) -> None:
    verdict = decide(obj, known)
    if isinstance(verdict, Inject):
        same = decide(verdict.object, known)
        assert isinstance(same, Leave)
        assert (same.injected, same.reason) == (True, verdict.reason)
        again = json.loads(json.dumps(verdict.object))
        assert isinstance(decide(again, known, operation="UPDATE"), Leave)


@given(obj=workloads(kinds=KINDS), other=SETTINGS)
@settings(max_examples=EXAMPLES)
def test_changed_settings_end_where_new_ones_begin(obj: dict[str, Any], other: dict[str, str], known: Facts) -> None:
    first = decide(obj, known)
    if not isinstance(first, Inject):
        return
    wish = {f"{SIDECAR}/inject": "true", **other}
    keep = {k: v for k, v in obj["metadata"]["annotations"].items() if not k.startswith(SIDECAR)}
    fresh = copy.deepcopy(obj)
    fresh["metadata"]["annotations"] = {**keep, **wish}
    live = copy.deepcopy(first.object)
    kept = {k: v for k, v in live["metadata"]["annotations"].items() if not k.startswith(SIDECAR)}
    live["metadata"]["annotations"] = {**kept, **wish}
    direct, changed = decide(fresh, known), decide(live, known)
    expected = direct.object if isinstance(direct, Inject) else fresh
    reached = changed.object if isinstance(changed, Inject | Remove) else live
    assert canonical(reached) == canonical(expected)


@given(
    obj=workloads(kinds=("Deployment",)),
    variable=st.fixed_dictionaries({"name": st.just("ADDED"), "value": TEXT}),
    label=TEXT,
    image=TEXT,
)
@settings(max_examples=EXAMPLES)
def test_what_a_user_changes_meanwhile_stays(
    obj: dict[str, Any], variable: dict[str, str], label: str, image: str, known: Facts, facts: Facts
) -> None:
    def edit(target: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(target)
        template = made["spec"]["template"]
        container = next(c for c in template["spec"]["containers"] if not c["name"].startswith("speedscale"))
        container["image"] = image
        container["env"] = [*(container.get("env") or ()), variable]
        template["metadata"] = {**(template.get("metadata") or {})}
        template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), "added": label}
        template["spec"]["volumes"] = [*(template["spec"].get("volumes") or ()), {"name": "added"}]
        return made

    verdict = decide(obj, known)
    if isinstance(verdict, Inject):
        taken_out = decide(edit(quiet(verdict.object)), facts)
        assert isinstance(taken_out, Remove)
        assert canonical(taken_out.object) == canonical(edit(quiet(obj)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(["name", "env"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(before=st.dictionaries(TEXT, JSON, max_size=4), after=st.dictionaries(TEXT, JSON, max_size=4))
@settings(max_examples=EXAMPLES)
def test_a_patch_leads_from_any_object_to_any_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert canonical(apply_patch(before, patch(before, after))) == canonical(after)
    assert patch(after, copy.deepcopy(after)) == []


@given(
    kind=st.sampled_from([*KINDS, "StatefulSet", "Service", 7]),
    spec=JSON,
    template=JSON,
    pod=JSON,
    annotations=st.dictionaries(
        st.sampled_from([f"{SIDECAR}/inject", "a", "operator.speedscale.com/revert"]), TEXT | st.just("true")
    ),
    record=JSON,
)
@settings(max_examples=EXAMPLES)
def test_nothing_raises(
    kind: Any, spec: Any, template: Any, pod: Any, annotations: dict[str, str], record: Any, facts: Facts
) -> None:
    meta = {"annotations": annotations}
    for obj in (
        {"kind": kind, "metadata": meta, "spec": spec},
        {"kind": kind, "metadata": meta, "spec": {"template": template}},
        {"kind": kind, "metadata": spec, "spec": {"template": {"spec": pod}}},
        {"kind": kind, "metadata": meta, "spec": {"template": {"metadata": meta, "spec": pod}}},
        {
            "kind": kind,
            "metadata": {"annotations": {f"{SIDECAR}/inject": "true"}},
            "spec": {
                "template": {
                    "metadata": {
                        "annotations": {"operator.speedscale.com/revert": json.dumps({"t": record, "w": record})}
                    },
                    "spec": {"containers": [{"name": "app", "env": pod}]},
                }
            },
        },
    ):
        for operation in ("CREATE", "UPDATE"):
            assert decide(obj, facts, operation=operation) is not None  # type: ignore[arg-type]


@given(
    entries=st.dictionaries(
        st.sampled_from(
            [
                "/metadata/annotations",
                "/spec/containers",
                "/spec/containers/name=app",
                "/spec/containers/name=app/env/name=X",
                "/spec/volumes",
                "/spec",
                "/metadata",
            ]
        ),
        st.lists(JSON, min_size=1, max_size=3) | st.just([None, 7]) | st.just([None, "text"]) | st.just(["+", 3]),
    )
)
@settings(max_examples=EXAMPLES)
def test_a_record_written_by_hand_breaks_nothing(entries: dict[str, Any], facts: Facts) -> None:
    text = json.dumps({"t": entries, "w": entries})
    obj = {
        "kind": "Deployment",
        "metadata": {"name": "x", "annotations": {f"{SIDECAR}/inject": "true"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {"operator.speedscale.com/revert": text}},
                "spec": {"containers": [{"name": "app"}]},
            }
        },
    }
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject | Skip)
