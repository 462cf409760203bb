"""The vendor chart's values as ours: what is carried, what is left out, and that every note says why."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests import values as v
from speedscale_manifests.values import chart_file
from speedscale_manifests.values.chart_import import Note, convert

# Every key of the chart's values (2.5.602), each with another value than its default.
FULL: dict[str, Any] = {
    "apiKey": "not-a-real-key",
    "apiKeySecret": "backend-key",
    "appUrl": "https://speedscale.example.com/",
    "clusterName": "prod",
    "cloudProvider": "aws",
    "image": {"registry": "registry.example.com/mirror", "tag": "v9.9.9", "pullPolicy": "IfNotPresent"},
    "imageTags": {"nettap": "v9.0.0", "generator": "v9.1.0", "responder": "v9.1.0"},
    "logLevel": "debug",
    "namespaceSelector": ["shop", "pay"],
    "filterRule": "their-filter",
    "dlp": {"enabled": True, "config": "their-rule"},
    "hostNetwork": True,
    "globalAnnotations": {"example.com/team": "platform"},
    "webhookAnnotations": {"cert-manager.io/inject-ca-from-secret": "speedscale-webhook-certs"},
    "createTLSCerts": False,
    "globalLabels": {"example.com/cost": "42"},
    "globalPodSecurityContext": {"runAsUser": 3000, "runAsGroup": None},
    "globalSecurityContext": {"fsGroup": 3000},
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "capture", "effect": "NoSchedule"}],
    "nodeSelector": {"disk": "ssd"},
    "deployDemo": "",
    "http_proxy": "http://proxy.example.com:3128",
    "https_proxy": "http://proxy.example.com:3129",
    "no_proxy": ".svc,10.0.0.0/8",
    "privilegedSidecars": True,
    "createJKS": False,
    "preInstall": {
        "resources": {"limits": {"memory": "512M"}},
        "maxAttempts": 3,
        "retryDelaySeconds": 7,
        "backoffLimit": 5,
    },
    "disableSidecarSmartReverseDNS": True,
    "operator": {
        "resources": {"limits": {"cpu": 1}},
        "test_prep_timeout": "22m",
        "control_plane_timeout": "9m",
    },
    "sidecar": {
        "resources": {"limits": {"cpu": "700m", "memory": "700Mi", "ephemeral-storage": "200Mi"}},
        "ignore_src_hosts": "example.com, example.org",
        "ignore_src_ips": "8.8.8.8, 1.1.1.1",
        "ignore_dst_hosts": "example.com",
        "ignore_dst_ips": "8.8.8.8",
        "insert_init_first": True,
        "tls_out": True,
        "reinitialize_iptables": True,
    },
    "forwarder": {
        "replicas": 2,
        "resources": {"limits": {"cpu": "3"}},
        "exporters": {
            "my-exporter": {"otel_endpoint": "otelcol.example.com:4317", "filter_rule": "standard", "dlp_config_id": ""}
        },
    },
    "dashboardAccess": False,
    "secretAccessList": ["my-secret"],
    "inspector": {"resources": {"limits": {"cpu": "500m"}}, "accessLabels": {"env": "test"}},
    "collector": {"resources": {"limits": {"cpu": "2"}}},
    "replayComponents": {
        "generator": {"resources": {"limits": {"cpu": "4"}}},
        "redis": {"resources": {"limits": {"cpu": "1"}}},
        "responder": {"resources": {"limits": {"cpu": "2"}}},
    },
    "ebpf": {
        "enabled": True,
        "nettap": {
            "capture": {
                "podSecurityContext": {"capabilities": {"add": ["BPF", "SYS_ADMIN", "SYS_RESOURCE"], "drop": ["ALL"]}}
            },
            "ingest": {"podSecurityContext": {"capabilities": {"add": ["NET_RAW"]}, "runAsUser": 0, "runAsGroup": 0}},
            "securityContext": {"runAsNonRoot": False},
            "resources": {"limits": {"cpu": "1"}},
        },
        "configuration": {
            "system": {"procfsPath": "/host/proc2"},
            "logging": {"level": "debug"},
            "capture": {
                "targets": [{"name": "shop", "podSelector": {"matchLabels": {"app": "x"}}, "filters": [{"port": 9090}]}]
            },
        },
    },
}


def notes(given: dict[str, Any]) -> dict[str, Note]:
    return {note.path: note for note in convert(given).notes}


def test_every_key_is_carried_at_its_path_or_noted() -> None:
    converted = convert(FULL)
    noted = {note.path for note in converted.notes}
    values = v.from_mapping(converted.values)

    def walk(given: Any, ours: Any, path: str) -> None:
        if any(note == path for note in noted):
            return
        if isinstance(given, dict) and given:
            for key, item in given.items():
                walk(item, ours.get(key) if isinstance(ours, dict) else None, f"{path}.{key}".lstrip("."))
            return
        assert str(ours) == str(given), path

    walk(FULL, values.tree(), "")
    assert noted == {
        "apiKey",
        "appUrl",
        "image",
        "imageTags",
        "filterRule",
        "dlp.config",
        "createTLSCerts",
        "preInstall",
        "forwarder.exporters.my-exporter.otel_endpoint",
        "ebpf.nettap.capture.podSecurityContext.capabilities.add",
        "ebpf.nettap.ingest.podSecurityContext.capabilities.add",
        "ebpf.nettap.ingest.podSecurityContext",
    }
    assert all(note.reason and note.remedy for note in converted.notes)


def test_what_is_changed_says_the_same_in_our_terms() -> None:
    values = v.from_mapping(convert(FULL).values)
    assert values.app_url == "speedscale.example.com"
    assert values.image_tags == {"nettap": "v9.0.0", "replay": "v9.1.0"}
    assert values.certificates.mode == "manual"
    assert values.forwarder.exporters["my-exporter"]["otel_endpoint"] == "http://otelcol.example.com:4317"
    assert values.ebpf.nettap.capture.pod_security_context["capabilities"]["add"] == ("BPF",)
    assert values.ebpf.nettap.ingest.pod_security_context["runAsUser"] == 2102
    assert "runAsGroup" not in values.global_pod_security_context


def test_the_input_is_left_alone() -> None:
    before = repr(FULL)
    convert(FULL)
    assert repr(FULL) == before


def test_a_key_is_never_repeated() -> None:
    converted = convert({"apiKey": "not-a-real-key", "http_proxy": "http://u:hunter2@proxy:3128"})
    assert "not-a-real-key" not in repr(converted)
    assert "hunter2" not in repr(converted)
    found = notes({"apiKey": "not-a-real-key"})["apiKey"]
    assert "kubectl -n speedscale create secret generic speedscale-apikey" in found.remedy
    assert convert({"apiKey": ""}).values == {}
    assert "apiKey" not in notes({"apiKey": ""})


def test_the_vendors_images_and_service_are_left_out() -> None:
    given = {
        "image": {"registry": "gcr.io/speedscale", "tag": "v2.5.602"},
        "imageTags": {"nettap": "v0.1.25"},
        "appUrl": "app.speedscale.com",
    }
    assert convert(given).values == {}
    assert set(notes(given)) >= {"image.registry", "image.tag", "imageTags", "appUrl"}


@pytest.mark.parametrize(
    ("given", "path", "kind", "told"),
    [
        ({}, "secretAccessList", "check", "empty means every Secret there"),
        ({"secretAccessList": []}, "secretAccessList", "check", "only our own here"),
        ({}, "dlp.enabled", "check", "here it is on"),
        ({"dlp": {"enabled": False}}, "dlp.enabled", "check", "original values are stored"),
        ({"ensureMinimumEphemeralStorage": True}, "ensureMinimumEphemeralStorage", "left out", "ephemeral-storage"),
        ({"replicaCount": 2}, "replicaCount", "left out", "unknown key"),
        ({"sidecar": {"tsl_out": True}}, "sidecar.tsl_out", "left out", "did you mean 'tls_out'?"),
        ({"globalLabels": {"app": "x"}}, "globalLabels.app", "left out", "select our pods"),
        ({"imageTags": {"x": "v1"}, "image": {"registry": "r.example.com"}}, "imageTags.x", "left out", "unknown key"),
        ({"image": {"registry": "r.example.com"}}, "image", "check", "must hold our images"),
        (
            {"imageTags": {"generator": "v1", "collector": "v2"}, "image": {"registry": "r.example.com"}},
            "imageTags",
            "left out",
            "tags differ",
        ),
        (
            {"tolerations": [{"key": "a", "operator": "Exists"}, {"operator": "Foo"}]},
            "tolerations[1]",
            "left out",
            "tolerations[1].operator",
        ),
        (
            {"operator": {"resources": {"limits": {"cpu": "1m"}}}},
            "operator.resources",
            "left out",
            "more than the limit of 1m",
        ),
        ({"forwarder": 5}, "forwarder", "left out", "expected a map"),
        ({"logLevel": "warning"}, "logLevel", "left out", "did you mean 'warn'?"),
    ],
)
def test_notes(given: dict[str, Any], path: str, kind: str, told: str) -> None:
    note = notes(given)[path]
    assert note.kind == kind
    assert told in str(note)


def test_whatever_comes_in_what_comes_out_is_accepted(random_values: Any) -> None:
    for seed in range(25):
        v.from_mapping(convert(random_values.broken(seed).tree).values)


def test_comments_stay_where_a_key_is_carried() -> None:
    text = (
        "# our cluster\nclusterName: prod  # since 2024\n\n# the key\napiKey: not-a-real-key\n\n"
        "# nodes\ntolerations:\n- key: dedicated\n  operator: Exists\n# was AKIA"
        + "IOSFODNN7EXAMPLE once\nlogLevel: debug\n"
        "# do not use not-a-real-key\nhostNetwork: true\n"
    )
    imported = chart_file.import_text(text.encode(), "chart.yaml")
    assert imported.text == (
        "# our cluster\nclusterName: prod  # since 2024\n\n"
        "# nodes\ntolerations:\n- key: dedicated\n  operator: Exists\n# (a secret stood here)\nlogLevel: debug\n"
        "# (a secret stood here)\nhostNetwork: true\n"
    )
    assert imported.values["clusterName"] == "prod"


def test_a_file_that_cannot_be_carried_by_lines_is_written_anew() -> None:
    text = "apiKey: &key not-a-real-key\nclusterName: &name prod\nglobalLabels: {a: *name, b: *key}\n"
    imported = chart_file.import_text(text.encode(), "chart.yaml")
    assert "not-a-real-key" not in imported.text
    assert imported.values == {"clusterName": "prod", "globalLabels": {"a": "prod"}}
    assert "globalLabels.b" in {note.path for note in imported.notes}


def test_a_file_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(v.ValuesError, match=r"chart.yaml:1:4: a: yes without quotes"):
        chart_file.import_text(b"a: yes\n", "chart.yaml")
