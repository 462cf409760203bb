"""Typed annotations: one parameter an annotation, nothing written that draws a problem, errors at synthesis."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from cdk8s import ApiObject, ApiObjectMetadata, App, Chart
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.constructs.capture import capture, leave_alone, replay_on_apply
from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import CAPTURE, REPLAY, SIDECAR, Annotation
from speedscale_schemas.errors import ConfigError

S = f"{SIDECAR}/"


class Metadata:
    """The metadata of an object, as duck typing sees it."""

    def __init__(self, **annotations: str) -> None:
        self.annotations = dict(annotations)

    def add_annotation(self, key: str, value: str) -> None:
        self.annotations[key] = value

    def to_json(self) -> dict[str, Any]:
        return {"annotations": self.annotations}


class Workload:
    """A workload of no library in particular."""

    def __init__(self, kind: str = "Deployment", name: str = "pay") -> None:
        self.kind, self.name, self.metadata = kind, name, Metadata()


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"workload"}


def test_each_annotation_has_a_parameter_and_each_parameter_an_annotation() -> None:
    sidecar = {row.field for row in notes.rows(SIDECAR, settable=True)}
    nettap = {"nettap" if row.name == "enabled" else row.field for row in notes.rows(CAPTURE, settable=True)}
    assert not sidecar & nettap
    assert parameters(capture) == sidecar | nettap
    assert parameters(replay_on_apply) == {row.field for row in notes.rows(REPLAY, settable=True)}


def test_every_parameter_is_by_keyword_and_typed() -> None:
    for function in (capture, replay_on_apply):
        for name, parameter in inspect.signature(function).parameters.items():
            if name != "workload":
                assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
                row = next(r for r in notes.TABLE if r.field == name or (name == "nettap" and r.name == "enabled"))
                for option in row.type.options:
                    assert option in str(parameter.annotation) or row.type.name == "boolean"
                if row.type.name == "boolean":
                    assert "bool" in str(parameter.annotation)


def test_annotations_reach_the_manifest_of_a_cdk8s_app() -> None:
    app = App()
    chart = Chart(app, "shop")
    workload = ApiObject(chart, "pay", api_version="apps/v1", kind="Deployment", metadata=ApiObjectMetadata(name="pay"))
    capture(
        workload,
        tls_out=True,
        proxy_type="dual",
        proxy_protocol="tcp:http",
        proxy_port=8080,
        extra_container_env_vars={"A": "x=y", "B": ""},
    )
    (manifest,) = chart.to_json()
    assert manifest["metadata"]["annotations"] == {
        S + "inject": "true",
        S + "tls-out": "true",
        S + "proxy-type": "dual",
        S + "proxy-protocol": "tcp:http",
        S + "proxy-port": "8080",
        S + "extra-container-env-vars": "A=x=y\nB=",
    }
    with pytest.raises(ConfigError, match="tls-out: is 'true' already, and would become 'false'"):
        capture(workload, tls_out=False)


def test_lists_are_sequences_or_texts() -> None:
    assert capture(Workload(), ignore_outbound_ports=[5432, 6379])[S + "ignore-outbound-ports"] == "5432,6379"
    assert capture(Workload(), ignore_outbound_ports=5432)[S + "ignore-outbound-ports"] == "5432"
    assert capture(Workload(), ignore_dst_ips="*")[S + "ignore-dst-ips"] == "*"
    assert capture(Workload(), ignore_dst_hosts=("a", "b"))[S + "ignore-dst-hosts"] == "a,b"


def test_nettap() -> None:
    workload = Workload("StatefulSet")
    capture(workload, nettap=True, ignore_ports=[80])
    assert workload.metadata.annotations == {f"{CAPTURE}/enabled": "true", f"{CAPTURE}/ignore-ports": "80"}


def test_an_agent_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not exist yet"):
        capture(Workload(), nettap=True, java_agent=True)


def test_a_replay_and_hands_off() -> None:
    workload = Workload()
    replay_on_apply(workload, snapshot_id="s", secrets=["a", "b"], cleanup="all", timeout="10m")
    assert workload.metadata.annotations[f"{REPLAY}/secrets"] == "a,b"
    other = Workload()
    leave_alone(other)
    assert other.metadata.annotations == {"operator.speedscale.com/ignore": "true"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"proxy_type": "dial"}, 'did you mean "dual"?'),
        ({"proxy_port": 0}, "no port number"),
        ({"tls_out": "yes"}, "neither true nor false"),
        ({"tls_out": 1}, "neither true nor false"),
        ({"proxy_type": "dual", "ignore_dst_ips": "*"}, "has no effect with proxy-type dual"),
        ({"kube_api_support": True}, "has no effect without sidecar.speedscale.com/tls-out"),
        ({"ignore_dst_ips": ["10.0.0.1", "::1"]}, "IPv6"),
        ({"ignore_dst_ips": []}, "is empty; leave the annotation out"),
        ({"extra_container_env_vars": {"A": "x\ny"}}, "more than one line"),
        ({"extra_container_env_vars": {"A B": "x"}}, "not NAME=value"),
        ({"memory_limit": "16Mi"}, "is below the request of 32Mi"),
        ({"nettap": True, "tls_out": True}, "is for capture with a sidecar only"),
        ({"ignore_ports": 80}, "is for capture with nettap=True only"),
    ],
)
def test_what_is_wrong_fails_and_writes_nothing(settings: dict[str, Any], said: str) -> None:
    workload = Workload()
    with pytest.raises(ConfigError) as caught:
        capture(workload, **settings)
    assert said in str(caught.value)
    assert workload.metadata.annotations == {}


def test_the_message_names_the_workload_and_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        capture(Workload(), proxy_port=0, cpu_limit="500")
    assert len(caught.value.problems) == 2
    assert all(
        problem.startswith("capture(Deployment pay): sidecar.speedscale.com/") for problem in caught.value.problems
    )


def test_both_methods_in_two_calls_are_refused() -> None:
    workload = Workload()
    capture(workload)
    with pytest.raises(ConfigError, match="neither is applied"):
        capture(workload, nettap=True)


def test_calling_it_again_with_the_same_settings_changes_nothing() -> None:
    workload = Workload()
    assert capture(workload, tls_out=True) == capture(workload, tls_out=True)


def test_settings_may_come_in_two_calls() -> None:
    workload = Workload()
    capture(workload, tls_out=True)
    capture(workload, kube_api_support=True)
    assert notes.parse(workload.metadata.annotations, "Deployment").problems == ()


@pytest.mark.parametrize("kind", ["Service", "ConfigMap", ""])
def test_on_something_that_is_no_workload(kind: str) -> None:
    with pytest.raises(ConfigError, match="expected Deployment, StatefulSet"):
        capture(Workload(kind))


def test_on_something_that_is_no_object_at_all() -> None:
    thing: Any = "deployment"
    with pytest.raises(ConfigError, match=r"has no metadata\.add_annotation"):
        capture(thing)


def values(row: Annotation) -> st.SearchStrategy[Any]:
    """Return values for a parameter that are right by themselves, as a user of the library writes them."""
    port = st.integers(1, 65535)
    hosts = st.lists(st.sampled_from(["a.example", "b_c", "D"]), min_size=1, max_size=3)
    known: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "choice": st.sampled_from(row.type.options),
        "port": port,
        "ports": st.lists(port, min_size=1, max_size=4) | port,
        "addresses": st.just("*") | st.lists(st.ip_addresses(v=4), min_size=1, max_size=3),
        "hosts": hosts,
        "variables": st.dictionaries(st.from_regex(r"\A[A-Z_]{1,8}\Z"), st.text("abc =%$", max_size=6), min_size=1),
        "cpu": st.sampled_from(["100m", "0.5", "2"]),
        "bytes": st.sampled_from(["64Mi", "1G", "1e9"]),
        "secrets": st.lists(st.sampled_from(["a", "b"]), min_size=1),
    }
    return known.get(row.type.name, st.just(row.type.example))


SETTINGS = st.fixed_dictionaries({}, optional={row.field: values(row) for row in notes.rows(SIDECAR, settable=True)})
ANY = st.one_of(
    SETTINGS,
    st.fixed_dictionaries(
        {"nettap": st.just(True)}, optional={"ignore_ports": st.integers(0, 70000), "java_agent": st.booleans()}
    ),
    st.dictionaries(
        st.sampled_from(sorted(parameters(capture))), st.text(max_size=5) | st.integers() | st.booleans(), max_size=4
    ),
)


@given(ANY)
def test_what_is_written_parses_to_what_was_said_without_a_problem(settings: dict[str, Any]) -> None:
    workload = Workload()
    try:
        written = capture(workload, **settings)
    except ConfigError:
        assert workload.metadata.annotations == {}
        return
    parsed = notes.parse(workload.metadata.annotations, "Deployment")
    assert parsed.problems == ()
    assert parsed.given == set(written)
    for name, value in settings.items():
        if isinstance(value, bool | int) and hasattr(parsed.sidecar, name) and not name.startswith("ignore_"):
            found = getattr(parsed.sidecar, name)
            assert found == (str(value).lower() if isinstance(found, str) else value)  # what is text there is its words
    variables = settings.get("extra_container_env_vars")
    if isinstance(variables, dict):
        assert dict(parsed.sidecar.extra_container_env_vars) == variables
