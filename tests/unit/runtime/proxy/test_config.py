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
                "FORWARDER_CA_FILE": str(tmp_path / "missing.pem"),
                "SPILL_DIR": str(tmp_path / "nowhere"),
                "TLS_OUT_UNWRAP": "true",
                "TLS_CERT_DIR": str(tmp_path),
            }
        )
    text = str(caught.value)
    for name in ("PROXY_IN_HOST", "FORWARDER_ADDR", "FORWARDER_CA_FILE", "SPILL_DIR", "TLS_CERT_DIR"):
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
