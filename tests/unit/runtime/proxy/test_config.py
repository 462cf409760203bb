"""Settings from the environment: defaults, hand-over as JSON, and every problem in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_runtime.proxy import config
from speedscale_schemas.errors import ConfigError


def test_defaults_are_those_of_a_sidecar() -> None:
    found = config.parse({})
    assert (found.in_port, found.out_port, found.health_port, found.metrics_port) == (4143, 4140, 4144, 4145)
    assert found.out_host == "127.0.0.1"  # an open proxy for the whole network would be a hazard
    assert (found.identity.service, found.identity.cluster, found.identity.namespace) == (
        "my-app",
        "undefined",
        "undefined",
    )
    assert found.spill_max_bytes == 0
    assert not found.tls_out


def test_settings_survive_the_way_to_the_worker() -> None:
    found = config.parse({"APP_LABEL": "shop", "FORWARDER_ADDR": "https://f.example:80", "PROXY_TYPE": "reverse"})
    assert config.Settings.from_json(found.to_json()) == found
    assert found.identity.service == "shop"


@pytest.mark.parametrize(
    ("text", "host", "port", "tls"),
    [
        ("127.0.0.1:8888", "127.0.0.1", 8888, False),
        ("speedscale-forwarder:80", "speedscale-forwarder", 80, False),
        ("http://f", "f", 80, False),
        ("https://f", "f", 443, True),
        ("[::1]:9", "::1", 9, False),
    ],
)
def test_forwarder_address(text: str, host: str, port: int, tls: bool) -> None:
    target = config.parse({"FORWARDER_ADDR": text}).forwarder
    assert (target.host, target.port, target.tls) == (host, port, tls)


def test_all_problems_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(
            {
                "PROXY_IN_HOST": "somewhere",
                "FORWARDER_ADDR": "ftp://x",
                "SPILL_DIR": str(tmp_path / "nowhere"),
                "TLS_IN_UNWRAP": "true",
                "TLS_MUTUAL_PUBLIC_KEY": "/x/tls.crt",
            }
        )
    text = str(caught.value)
    wanted = ("TLS_IN_PUBLIC_KEY", "TLS_IN_PRIVATE_KEY", "TLS_MUTUAL_PRIVATE_KEY")
    for name in ("PROXY_IN_HOST", "FORWARDER_ADDR", "SPILL_DIR", *wanted):
        assert name in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROXY_IN_PORT", "70000"), ("PROXY_TYPE", "revers"), ("MAX_BODY_BYTES", "-1"), ("TLS_ON_REJECT", "x")],
)
def test_values_out_of_range_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        config.parse({name: value})


def test_metrics_share_the_health_port_where_they_have_none() -> None:
    assert config.parse({"METRICS_HTTP_ENABLE": "false"}).metrics_port == 0


def test_the_queue_holds_at_least_one_pair_of_the_largest_size() -> None:
    found = config.parse({"MAX_BODY_BYTES": "10000000", "QUEUE_MAX_BYTES": "65536"})
    assert found.queue_max_bytes == 20_000_000 + found.max_head_bytes


def test_files_may_come_later_than_the_proxy(tmp_path: Path) -> None:
    found = config.parse(
        {
            "FORWARDER_ADDR": "https://f:80",
            "FORWARDER_CA_FILE": str(tmp_path / "ca.crt"),
            "FORWARDER_TOKEN_FILE": str(tmp_path / "token"),
            "TLS_OUT_UNWRAP": "true",
            "TLS_CERT_DIR": str(tmp_path / "certs"),
            "TLS_IN_UNWRAP": "true",
            "TLS_IN_PUBLIC_KEY": str(tmp_path / "in.crt"),
            "TLS_IN_PRIVATE_KEY": str(tmp_path / "in.key"),
        }
    )
    assert found.tls_out
    assert found.tls_in


def test_transparent_listens_on_both_families_and_out_only_on_loopback() -> None:
    found = config.parse({"PROXY_TYPE": "transparent"})
    assert (found.in_host, found.out_host) == ("::", "127.0.0.1,::1")


@pytest.mark.parametrize(("address", "every"), [("10.0.0.7", "0.0.0.0"), ("fd00::7", "::"), ("", "0.0.0.0")])
def test_probes_reach_the_pod_on_its_own_family(address: str, every: str) -> None:
    assert config.parse({"STATUS_POD_IP": address}).health_host == every


def test_a_pod_is_served_until_its_application_is_gone() -> None:
    pod, bare = config.parse({"APP_POD_NAME": "shop-1"}), config.parse({})
    assert (pod.drain_until, pod.drain_timeout_s, pod.spill_max_bytes) == ("application", 20.0, 64 << 20)
    assert (bare.drain_until, bare.drain_timeout_s, bare.spill_max_bytes) == ("connections", 10.0, 0)
    native = config.parse({"APP_POD_NAME": "shop-1", "SIDECAR_RESTART_POLICY": "Always"})
    assert native.drain_until == "connections", "the application has ended before"
    chosen = {"APP_POD_NAME": "shop-1", "DRAIN_UNTIL": "connections", "SPILL_MAX_BYTES": "0"}
    told = config.parse(chosen)
    assert (told.drain_until, told.drain_timeout_s, told.spill_max_bytes) == ("connections", 10.0, 0)


def test_every_variable_of_the_sidecars_template_is_understood() -> None:
    from speedscale_schemas.validation import schema

    bundle = Path(__file__).parents[4] / "dist/operator/configmap-speedscale-bundle-sidecar.yaml"
    text = bundle.read_text().split("initContainers:")[0]
    names = {
        line.split("name: ", 1)[1] for line in text.splitlines() if "- name: " in line and line.split()[-1].isupper()
    }
    assert len(names) > 25
    assert names <= set(schema("settings/goproxy")["properties"])
