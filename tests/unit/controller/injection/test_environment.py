"""What the application's containers get, and what of theirs stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from speedscale_controller.injection import Inject, Remove, decide

BUNDLE = "/etc/ssl/speedscale/ca-bundle.crt"
FLAGS = "-Djavax.net.ssl.trustStore=/etc/ssl/speedscale/jks/cacerts.jks -Djavax.net.ssl.trustStorePassword=changeit"
JAVA = "JAVA_TOOL_OPTIONS"
TLS = {"inject": "true", "tls_out": "true"}
FROM_KEY = {"configMapKeyRef": {"name": "settings", "key": "java"}}


@pytest.fixture
def injected(shop: Any, facts_of: Any) -> Any:
    def made(container: dict[str, Any] | None = None, changes: Any = None, **annotations: str) -> Any:
        spec = {"containers": [{"name": "app", **(container or {})}]}
        obj = shop.workload(spec=spec, **annotations)
        verdict = decide(obj, facts_of(**(changes or {})))
        assert isinstance(verdict, Inject)
        taken_out = decide(shop.without_inject(verdict.object), facts_of())
        assert isinstance(taken_out, Remove)
        assert taken_out.object == shop.without_inject(obj)
        return shop.container_of(verdict.object, "app"), verdict

    return made


def test_trust_by_runtime(injected: Any, shop: Any) -> None:
    app, verdict = injected(**TLS)
    assert shop.env_of(app) == dict.fromkeys(
        (
            "SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "AWS_CA_BUNDLE",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ),
        BUNDLE,
    )
    assert app["volumeMounts"] == [{"name": "speedscale-trust", "mountPath": "/etc/ssl/speedscale", "readOnly": True}]
    assert verdict.warnings == ()


def test_without_tls_the_application_gets_nothing(injected: Any) -> None:
    app, verdict = injected(inject="true")
    assert app == {"name": "app"}
    assert "speedscale-trust" not in str(verdict.object["spec"])


def test_its_own_variables_stay(injected: Any, shop: Any) -> None:
    own = [{"name": "SSL_CERT_FILE", "value": "/own.pem"}, {"name": "AWS_CA_BUNDLE", "valueFrom": FROM_KEY}]
    app, verdict = injected({"env": own}, **TLS)
    assert app["env"][:2] == own
    assert len([e for e in app["env"] if e["name"] == "SSL_CERT_FILE"]) == 1
    assert verdict.warnings == ("container app: keeps its own AWS_CA_BUNDLE, SSL_CERT_FILE",)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([], FLAGS),
        ([{"name": JAVA, "value": "-Xmx1g"}], f"-Xmx1g {FLAGS}"),
        ([{"name": JAVA}], FLAGS),
    ],
)
def test_java_s_options_are_merged(own: Any, expected: str, injected: Any, shop: Any) -> None:
    app, verdict = injected({"env": own} if own else {}, **TLS, tls_java_tool_options="true")
    assert shop.env_of(app)[JAVA] == expected
    assert "jks/cacerts.jks" in str(verdict.object["spec"]["template"]["spec"]["volumes"])


def test_java_s_options_from_elsewhere_are_referred_to(injected: Any) -> None:
    own = [{"name": "A", "value": "1"}, {"name": JAVA, "valueFrom": FROM_KEY}]
    app, _ = injected({"env": own}, **TLS, tls_java_tool_options="true")
    names = [e["name"] for e in app["env"]][:3]
    assert names == ["A", "SPEEDSCALE_JAVA_TOOL_OPTIONS", JAVA]  # a reference needs what stands before it
    assert app["env"][1]["valueFrom"] == FROM_KEY
    assert app["env"][2] == {"name": JAVA, "value": f"$(SPEEDSCALE_JAVA_TOOL_OPTIONS) {FLAGS}"}


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (
            {
                "env": [
                    {"name": JAVA, "valueFrom": {"configMapKeyRef": {**FROM_KEY["configMapKeyRef"], "optional": True}}}
                ]
            },
            "absent",
        ),
        ({"env": [{"name": JAVA, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}, "absent"),
        ({"env": [{"name": JAVA, "value": "-Djavax.net.ssl.trustStore=/own.jks"}]}, "trust store of its own"),
        ({"envFrom": [{"configMapRef": {"name": "settings"}}]}, "envFrom"),
    ],
)
def test_java_s_options_that_nobody_knows_stay_and_it_is_told(container: Any, words: str, injected: Any) -> None:
    app, verdict = injected(container, **TLS, tls_java_tool_options="true")
    assert [e for e in app.get("env", ()) if e["name"] == JAVA] == container.get("env", [])
    assert any(JAVA in warning and words in warning for warning in verdict.warnings)


def test_a_prefix_that_cannot_make_the_name_is_no_obstacle(injected: Any, shop: Any) -> None:
    source = {"prefix": "APP_", "configMapRef": {"name": "settings"}}
    app, _ = injected({"envFrom": [source]}, **TLS, tls_java_tool_options="true")
    assert shop.env_of(app)[JAVA] == FLAGS


@pytest.mark.parametrize("own", [[], [{"name": JAVA, "value": "-Xmx1g"}], [{"name": JAVA, "valueFrom": FROM_KEY}]])
def test_the_whole_value_wins(own: Any, injected: Any, shop: Any) -> None:
    app, _ = injected({"env": own}, **TLS, tls_java_tool_options_value="-Xmx2g")
    assert shop.env_of(app)[JAVA] == "-Xmx2g"
    assert all("valueFrom" not in e for e in app["env"])


def test_without_a_java_trust_store_nothing_points_to_one(injected: Any) -> None:
    app, _ = injected(None, {"create_jks": False}, **TLS, tls_java_tool_options="true")
    assert JAVA not in str(app)


def test_an_edit_of_java_s_options_is_kept_and_stale_flags_go(shop: Any, facts: Any) -> None:
    obj = shop.workload(
        spec={"containers": [{"name": "app", "env": [{"name": JAVA, "value": "-Xmx1g"}]}]},
        **TLS,
        tls_java_tool_options="true",
    )
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    edited = verdict.object
    item = next(e for e in shop.container_of(edited, "app")["env"] if e["name"] == JAVA)
    item["value"] = f"-Xmx2g {FLAGS} -Dx=1"
    again = decide(edited, facts)
    assert isinstance(again, Inject)
    assert shop.env_of(shop.container_of(again.object, "app"))[JAVA] == f"-Xmx2g -Dx=1 {FLAGS}"
    out = decide(shop.without_inject(edited), facts)
    assert isinstance(out, Remove)
    assert shop.env_of(shop.container_of(out.object, "app")) == {JAVA: "-Xmx2g -Dx=1"}


def test_a_reapplied_reference_beside_our_value_becomes_one_again(shop: Any, facts: Any) -> None:
    """A merge puts `valueFrom` back beside our `value`, which the API server would refuse; admission comes first."""
    spec = {"containers": [{"name": "app", "env": [{"name": JAVA, "valueFrom": FROM_KEY}]}]}
    obj = shop.workload(spec=spec, **TLS, tls_java_tool_options="true")
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    merged = decide(obj, facts)
    assert isinstance(merged, Inject)
    item = next(e for e in shop.container_of(merged.object, "app")["env"] if e["name"] == JAVA)
    item["valueFrom"] = FROM_KEY
    again = decide(merged.object, facts, operation="UPDATE")
    assert isinstance(again, Inject)
    assert again.object == verdict.object


def test_known_stores_are_single_files_where_nothing_is_mounted(injected: Any) -> None:
    own = [{"name": "certs", "mountPath": "/etc/ssl/certs"}]
    app, verdict = injected({"volumeMounts": own}, inject="true", mount_known_ca="true")
    mounts = {m["mountPath"]: m.get("subPath") for m in app["volumeMounts"] if m["name"] == "speedscale-trust"}
    assert "/etc/ssl/certs/ca-certificates.crt" not in mounts
    assert mounts.pop("/etc/ssl/speedscale") is None
    assert set(mounts.values()) == {"ca-bundle.crt"}
    assert "/etc/pki/tls/certs/ca-bundle.crt" in mounts
    assert any("/etc/ssl/certs/ca-certificates.crt" in warning for warning in verdict.warnings)


def test_a_volume_at_our_path_keeps_trust_out(injected: Any) -> None:
    app, verdict = injected(
        {"volumeMounts": [{"name": "x", "mountPath": "/etc/ssl"}]}, **TLS, tls_java_tool_options="true"
    )
    assert "env" not in app
    assert any("/etc/ssl/speedscale" in warning for warning in verdict.warnings)


@pytest.mark.parametrize(
    ("proxy_type", "protocol", "url"),
    [
        ("forward", "http", "http://127.0.0.1:4140"),
        ("dual", "tcp:http", "http://127.0.0.1:4140"),
        ("dual", "tcp:socks", "socks5://127.0.0.1:4140"),
        ("reverse", "http", None),
        ("transparent", "http", None),
    ],
)
def test_proxies_of_forward_and_dual(proxy_type: str, protocol: str, url: str | None, injected: Any, shop: Any) -> None:
    app, _ = injected(inject="true", proxy_type=proxy_type, proxy_protocol=protocol)
    env = shop.env_of(app)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        assert env.get(name) == url
    if url is not None:
        assert env["NODE_USE_ENV_PROXY"] == "1"
        assert env["NO_PROXY"] == "localhost,127.0.0.1,::1,$(KUBERNETES_SERVICE_HOST),kubernetes.default.svc"
    assert ("ALL_PROXY" in env) is (protocol == "tcp:socks")


def test_no_proxy_is_extended_and_an_own_proxy_stays_alone(injected: Any, shop: Any) -> None:
    wish = {"inject": "true", "proxy_type": "forward"}
    app, _ = injected(
        {"env": [{"name": "NO_PROXY", "value": "db"}, {"name": "no_proxy", "valueFrom": FROM_KEY}]}, **wish
    )
    env = shop.env_of(app)
    assert env["NO_PROXY"].startswith("db,localhost,")
    assert env["no_proxy"] == FROM_KEY
    app, verdict = injected({"env": [{"name": "https_proxy", "value": "http://corporate:3128"}]}, **wish)
    assert shop.env_of(app) == {"https_proxy": "http://corporate:3128"}
    assert any("not captured" in warning for warning in verdict.warnings)


def test_calls_to_the_api_server_pass_the_proxy_when_they_are_asked_for(injected: Any, shop: Any) -> None:
    app, _ = injected(**TLS, proxy_type="forward", kube_api_support="true")
    assert shop.env_of(app)["NO_PROXY"] == "localhost,127.0.0.1,::1"


def test_extra_variables_go_to_all_other_containers(shop: Any, facts: Any) -> None:
    spec = {
        "containers": [{"name": "app", "env": [{"name": "B", "value": "own"}]}, {"name": "istio-proxy"}],
        "initContainers": [{"name": "migrate"}],
    }
    obj = shop.workload(spec=spec, **TLS, extra_container_env_vars="A=1\nB=2\nSSL_CERT_FILE=/mine")
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    env = shop.env_of(shop.container_of(verdict.object, "app"))
    assert (env["A"], env["B"], env["SSL_CERT_FILE"]) == ("1", "own", "/mine")
    assert shop.env_of(shop.container_of(verdict.object, "migrate")) == {"A": "1", "B": "2", "SSL_CERT_FILE": "/mine"}
    assert shop.container_of(verdict.object, "istio-proxy") == {"name": "istio-proxy"}


@pytest.mark.parametrize(("first", "meets"), [("true", True), ("false", False)])
def test_init_containers_need_trust_when_they_run_behind_the_sidecar(
    first: str, meets: bool, shop: Any, facts: Any
) -> None:
    spec = {
        "containers": [{"name": "app"}],
        "initContainers": [{"name": "migrate"}, {"name": "own", "restartPolicy": "Always"}],
    }
    verdict = decide(shop.workload(spec=spec, **TLS, insert_init_first=first), facts)
    assert isinstance(verdict, Inject)
    order = [c["name"] for c in verdict.object["spec"]["template"]["spec"]["initContainers"]]
    ours, theirs = ["speedscale-goproxy", "speedscale-initproxy-iptables"], ["migrate", "own"]
    assert order == ([*ours, *theirs] if meets else [*theirs, *ours])
    assert ("env" in shop.container_of(verdict.object, "migrate")) is meets
    assert "env" in shop.container_of(verdict.object, "own")


def test_what_envfrom_sources_would_lose_is_told(injected: Any) -> None:
    _, verdict = injected({"envFrom": [{"secretRef": {"name": "s"}}]}, **TLS)
    assert any("envFrom" in warning and "SSL_CERT_FILE" in warning for warning in verdict.warnings)


def test_scrape_annotations_unless_there_are_own(shop: Any, facts: Any) -> None:
    obj = shop.workload(inject="true", prometheus_enable_scrape_annotations="true", prometheus_port="9999")
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    annotations = verdict.object["spec"]["template"]["metadata"]["annotations"]
    assert {k: v for k, v in annotations.items() if k.startswith("prometheus.io/")} == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9999",
        "prometheus.io/path": "/metrics",
    }
    obj["spec"]["template"]["metadata"]["annotations"] = {"prometheus.io/port": "8080"}
    verdict = decide(obj, facts)
    assert isinstance(verdict, Inject)
    annotations = verdict.object["spec"]["template"]["metadata"]["annotations"]
    assert {k for k in annotations if k.startswith("prometheus.io/")} == {"prometheus.io/port"}
    assert any("prometheus.io/port" in warning for warning in verdict.warnings)


@pytest.mark.parametrize("copied", [False, True])
def test_a_container_that_was_renamed_or_copied_keeps_nothing_of_ours(copied: bool, shop: Any, facts: Any) -> None:
    spec = {"containers": [{"name": "app", "env": [{"name": JAVA, "value": "-Xmx1g"}]}]}
    verdict = decide(shop.workload(spec=spec, **TLS, tls_java_tool_options="true", proxy_type="forward"), facts)
    assert isinstance(verdict, Inject)
    live = verdict.object
    containers = live["spec"]["template"]["spec"]["containers"]
    other = copy.deepcopy(containers[0])
    other["name"] = "renamed"
    live["spec"]["template"]["spec"]["containers"] = [*(containers if copied else ()), other]
    again = decide(live, facts, operation="UPDATE")
    assert isinstance(again, Inject)  # the record knows it now
    for state in (live, again.object):
        taken_out = decide(shop.without_inject(state), facts, operation="UPDATE")
        assert isinstance(taken_out, Remove)
        expected = [{"name": name, "env": spec["containers"][0]["env"]} for name in (["app"] if copied else [])]
        assert taken_out.object["spec"]["template"]["spec"]["containers"] == [
            *expected,
            {"name": "renamed", "env": [{"name": JAVA, "value": "-Xmx1g"}]},
        ]


def test_a_mesh_keeps_a_variable_that_ours_are_like(shop: Any, facts: Any) -> None:
    """It looks as if copied from the container that was given the same, and is the mesh's own."""
    spec = {"containers": [{"name": "app"}, {"name": "istio-proxy", "env": [{"name": "PORT", "value": ""}]}]}
    verdict = decide(shop.workload(spec=spec, inject="true", extra_container_env_vars="EXTRA=1\nPORT="), facts)
    assert isinstance(verdict, Inject)
    taken_out = decide(shop.without_inject(verdict.object), facts, operation="UPDATE")
    assert isinstance(taken_out, Remove)
    assert taken_out.object["spec"]["template"]["spec"]["containers"] == spec["containers"]
