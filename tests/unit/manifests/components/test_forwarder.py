"""The forwarder's objects: settings that the service itself accepts, storage by replicas, and what it waits for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components.forwarder import COMPONENT
from speedscale_runtime.forwarder import config as runtime_config
from speedscale_schemas import settings, validation
from speedscale_schemas.errors import ConfigError

Build = Callable[..., Any]
EXPORTER = {"otel_endpoint": "http://otelcol.example.com:9318", "headersSecret": "otel", "filter_rule": "standard"}
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


def variables(objects: Any, environment: Build, kind: str = "Deployment") -> dict[str, str]:
    container = objects.pod(kind)["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": "speedscale-forwarder"}}]
    return {**objects.one("ConfigMap", "speedscale-forwarder")["data"], **environment(container)}


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"dlp": {"enabled": False}},
        {"forwarder": {"exporters": {"lake": EXPORTER}, "replicas": 3}, "logLevel": "debug"},
        {"forwarder": {"persistence": {"enabled": False, "size": "1Mi"}, "exporterMaxLag": "100Ki"}},
        {"http_proxy": "http://p:3128", "https_proxy": "http://p:3129", "no_proxy": ".svc"},
        {"forwarder": {"persistence": {"size": "64Ti"}}},
    ],
)
def test_the_service_accepts_its_environment(build: Build, environment: Build, tree: dict[str, Any]) -> None:
    objects = build(COMPONENT, **tree)
    kind = "StatefulSet" if objects.none("Deployment") else "Deployment"
    found = variables(objects, environment, kind)
    assert set(found) - PROXIES <= set(validation.schema("settings/forwarder")["properties"])
    values = settings.parse("forwarder", found)
    assert values["SPOOL_SEGMENT_BYTES"] * 2 <= values["SPOOL_MAX_BYTES"]
    assert values["WITH_DLP"] is tree.get("dlp", {}).get("enabled", True)


def test_the_service_itself_accepts_it_where_the_files_are(build: Build, environment: Build, tmp_path: Any) -> None:
    found = variables(build(COMPONENT, forwarder={"exporters": {"lake": EXPORTER}}), environment)
    for name in ("FORWARDER_TLS_CERT_FILE", "FORWARDER_TLS_KEY_FILE", "FORWARDER_TOKEN_FILE", "DLP_KEY_PATH"):
        found[name] = str(tmp_path)
    exporters = json.loads(found["EXPORTERS"])
    (tmp_path / "Authorization").write_text("Bearer x")
    exporters["lake"]["headers_path"] = str(tmp_path)
    parsed = runtime_config.parse({**found, "EXPORTERS": json.dumps(exporters)})
    assert parsed.exporters[0].options.headers == (("Authorization", "Bearer x"),)
    assert parsed.exporter_max_lag_bytes == parsed.spool_max_bytes


def test_a_misspelt_variable_would_be_found(build: Build, environment: Build) -> None:
    found = variables(build(COMPONENT), environment)
    found["SPOOL_MAX_BYTE"] = found.pop("SPOOL_MAX_BYTES")
    with pytest.raises(ConfigError, match="did you mean 'SPOOL_MAX_BYTES'"):
        settings.parse("forwarder", found)


def test_one_replica_with_a_claim_ends_the_old_pod_first(build: Build) -> None:
    objects = build(
        COMPONENT, forwarder={"persistence": {"storageClassName": "fast", "accessMode": "ReadWriteOncePod"}}
    )
    assert objects.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    claim = objects.one("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"
    spool = {"name": "spool", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    assert spool in objects.pod("Deployment")["volumes"]


def test_more_replicas_with_claims_are_a_stateful_set(build: Build, problems: Build) -> None:
    objects = build(COMPONENT, forwarder={"replicas": 3})
    spec = objects.one("StatefulSet")["spec"]
    assert spec["replicas"] == 3
    assert [c["metadata"]["name"] for c in spec["volumeClaimTemplates"]] == ["spool"]
    assert spec["serviceName"] == objects.one("Service")["metadata"]["name"]
    assert objects.none("Deployment")
    assert objects.none("PersistentVolumeClaim")
    assert objects.one("Service")["spec"]["sessionAffinity"] == "ClientIP"
    assert problems(objects.all) == []


@pytest.mark.parametrize("replicas", [1, 3])
def test_without_persistence_the_spool_is_bounded_scratch(build: Build, replicas: int) -> None:
    objects = build(COMPONENT, forwarder={"replicas": replicas, "persistence": {"enabled": False, "size": "3Gi"}})
    assert objects.one("Deployment")["spec"]["replicas"] == replicas
    assert {"name": "spool", "emptyDir": {"sizeLimit": "3Gi"}} in objects.pod("Deployment")["volumes"]
    assert objects.none("PersistentVolumeClaim")


def test_the_spool_leaves_room_on_its_volume(build: Build) -> None:
    gib = 1024**3
    alone = build(COMPONENT, forwarder={"exporters": {"lake": EXPORTER}, "persistence": {"size": "10Gi"}})
    shared = build(COMPONENT, forwarder={"persistence": {"size": "10Gi"}})
    assert alone.one("ConfigMap", "speedscale-forwarder")["data"]["SPOOL_MAX_BYTES"] == str(8 * gib)
    assert shared.one("ConfigMap", "speedscale-forwarder")["data"]["SPOOL_MAX_BYTES"] == str(4 * gib)


def test_a_volume_that_holds_no_spool_is_refused(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"forwarder\.persistence\.size: '10Ki': too small"):
        build(COMPONENT, forwarder={"persistence": {"size": "10Ki"}})


def test_what_it_cannot_do_without_is_no_optional_mount(build: Build) -> None:
    volumes = {v["name"]: v for v in build(COMPONENT).pod("Deployment")["volumes"]}
    assert volumes["identity"]["secret"] == {"secretName": "speedscale-forwarder-certs", "defaultMode": 0o444}
    assert volumes["dlp-key"]["secret"] == {"secretName": "speedscale-dlp-key", "defaultMode": 0o444}
    own = build(COMPONENT, dlp={"keySecret": "our-key"}).pod("Deployment")["volumes"]
    assert "our-key" in [v["secret"]["secretName"] for v in own if "secret" in v]
    off = build(COMPONENT, dlp={"enabled": False}).pod("Deployment")
    assert "dlp-key" not in [v["name"] for v in off["volumes"]]


def test_rules_are_folders_and_no_reason_to_restart(build: Build) -> None:
    condition = {"operator": "AND", "filters": [{"include": True, "operator": "EQUAL", "host": "a.example"}]}
    rule = {"id": "mine", "operator": "AND", "conditions": [condition]}
    plain, with_rule = build(COMPONENT), build(COMPONENT, rules={"filters": {"mine": rule}})
    data = with_rule.one("ConfigMap", "speedscale-forwarder-filters")["data"]
    assert json.loads(data["mine.json"]) == rule
    mounts = {m["name"]: m["mountPath"] for m in with_rule.pod("Deployment")["containers"][0]["volumeMounts"]}
    assert mounts["filters"] == "/etc/speedscale/data/filters"
    assert mounts["dlp-rules"] == "/etc/speedscale/data/dlp"
    assert "subPath" not in json.dumps(with_rule.pod("Deployment"))
    hashes = [
        o.one("Deployment")["spec"]["template"]["metadata"]["annotations"]["controlplane.speedscale.com/config-hash"]
        for o in (plain, with_rule, build(COMPONENT, logLevel="debug"))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


EVERY: dict[str, dict[str, Any]] = {
    "grpc": {"otel_endpoint": "https://otel.example.com:4317", "caSecret": "private-ca", "timeoutSeconds": 30},
    "lake": {"type": "parquet", "keepDays": 14, "dlp_config_id": "standard"},
    "lines": {"type": "jsonl", "filter_rule": "standard"},
    "hose": {"type": "firehose", "stream": "rrpairs", "region": "eu-central-1"},
    "bucket": {
        "type": "s3",
        "bucket": "acme",
        "endpointURL": "https://s3.example.com:9000",
        "credentialsSecret": "aws",
    },
    "bus": {
        "type": "kafka",
        "brokers": ["k.example.com:9093"],
        "topic": "rrpairs",
        "tls": True,
        "saslMechanism": "SCRAM-SHA-512",
        "saslSecret": "login",
        "clientCertSecret": "own",
    },
}


def test_every_type_of_exporter_is_one_that_the_service_knows(build: Build, environment: Build, tmp_path: Any) -> None:
    objects = build(COMPONENT, forwarder={"exporters": EVERY}, networkPolicies={"enabled": True})
    found = variables(objects, environment)
    for name in ("FORWARDER_TLS_CERT_FILE", "FORWARDER_TLS_KEY_FILE", "FORWARDER_TOKEN_FILE", "DLP_KEY_PATH"):
        found[name] = str(tmp_path)
    parsed = {e.name: e for e in runtime_config.parse(found).exporters}
    kinds = {name: e.kind for name, e in parsed.items()}
    assert kinds == {
        "grpc": "otlp",
        "lake": "parquet",
        "lines": "files",
        "hose": "firehose",
        "bucket": "s3",
        "bus": "kafka",
    }
    base = "/var/run/secrets/speedscale/exporters"
    assert (parsed["grpc"].options.protocol, parsed["grpc"].timeout_s) == ("grpc", 30)
    assert parsed["grpc"].options.tls.ca_file == f"{base}/private-ca/ca.crt"
    assert parsed["lake"].options.keep_days == 14
    assert (parsed["lake"].dlp_config, parsed["lines"].filter_rule) == ("standard", "standard")
    assert parsed["bucket"].options.aws.credentials_path == f"{base}/aws"
    assert parsed["bus"].options.sasl_path == f"{base}/login"
    mounted = {
        v["secret"]["secretName"] for v in objects.pod("Deployment")["volumes"] if v["name"].startswith("exporter-")
    }
    assert mounted == {"aws", "login", "own", "private-ca"}
    assert parsed["lake"].options.path.is_relative_to("/var/lib/speedscale")
    text = json.dumps(objects.one("NetworkPolicy")["spec"]["egress"])
    assert all(f'"port": {port}' in text for port in (443, 4317, 9000, 9093))


def test_headers_of_exporters_are_references_only(build: Build) -> None:
    objects = build(COMPONENT, forwarder={"exporters": {"lake": EXPORTER, "dora": {**EXPORTER}}})
    exporters = json.loads(objects.one("ConfigMap", "speedscale-forwarder")["data"]["EXPORTERS"])
    path = exporters["lake"]["headers_path"]
    pod = objects.pod("Deployment")
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["mountPath"] == path]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    assert volume["secret"]["secretName"] == "otel"
    assert list(exporters) == ["dora", "lake"]


def test_ports_probes_and_grace(build: Build) -> None:
    objects = build(COMPONENT)
    (port,) = objects.one("Service")["spec"]["ports"]
    container = objects.pod("Deployment")["containers"][0]
    named = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert (port["port"], named[port["targetPort"]]) == (80, 8888)
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics", "scheme": "HTTP"}
    assert named["metrics"] == 4145
    drain = int(objects.one("ConfigMap", "speedscale-forwarder")["data"]["DRAIN_TIMEOUT_S"])
    assert objects.pod("Deployment")["terminationGracePeriodSeconds"] > drain


def test_it_has_no_right_and_no_token(build: Build) -> None:
    objects = build(COMPONENT)
    assert [m["kind"] for m in objects.identity] == ["ServiceAccount"]
    assert objects.identity[0]["automountServiceAccountToken"] is False
    assert objects.pod("Deployment")["automountServiceAccountToken"] is False


def test_a_clouds_role_is_its_own_alone(build: Build) -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/traffic"}
    tree = {"globalAnnotations": {"example.com/team": "a"}, "forwarder": {"serviceAccountAnnotations": role}}
    (account,) = build(COMPONENT, **tree).identity
    assert account["metadata"]["annotations"].items() >= {**role, "example.com/team": "a"}.items()
    others = [o for o in build(COMPONENT, **tree).all if o["kind"] != "ServiceAccount"]
    assert not any(set(role) <= set(o["metadata"].get("annotations") or ()) for o in others)


def test_policy_opens_exporters_and_senders(build: Build) -> None:
    spec = build(COMPONENT, forwarder={"exporters": {"lake": EXPORTER}}).one("NetworkPolicy")["spec"]
    assert spec["ingress"] == [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 8888, "protocol": "TCP"}]}]
    assert 9318 in [port["port"] for rule in spec["egress"] for port in rule["ports"]]
    # nettap is on the nodes' network and has no pod's labels there
    with_nettap = build(COMPONENT, ebpf={"enabled": True}).one("NetworkPolicy")["spec"]
    assert with_nettap["ingress"] == [{"ports": [{"port": 8888, "protocol": "TCP"}]}]
    assert build(COMPONENT, networkPolicies={"enabled": False}).none("NetworkPolicy")


def test_kubernetes_accepts_all_of_it(build: Build, problems: Build) -> None:
    assert problems(build(COMPONENT, forwarder={"exporters": {"lake": EXPORTER}}).all) == []
