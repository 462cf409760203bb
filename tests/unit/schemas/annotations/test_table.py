"""The table says of each annotation what the contract says, and fits the types that parsing yields."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import CAPTURE, OPERATOR, PREFIXES, REPLAY, SIDECAR, TABLE, Annotation

CONTRACT = {
    SIDECAR: """inject insert-init-first capture-mode capture-node-traffic host-resolution prometheus-port
        prometheus-enable-scrape-annotations proxy-type proxy-protocol proxy-host proxy-port proxy-in-port
        proxy-out-port tls-out tls-java-tool-options tls-java-tool-options-value tls-in-secret tls-in-private
        tls-in-public tls-mutual-secret tls-mutual-private tls-mutual-public ignore-src-ips ignore-dst-ips
        ignore-src-hosts ignore-dst-hosts ignore-inbound-ports ignore-outbound-ports ignore-loopback track-loopback
        cpu-request cpu-limit memory-request memory-limit ephemeral-storage-request ephemeral-storage-limit
        kube-api-support istio-cni extra-container-env-vars mount-known-ca diagnostics injected tls-secret""",
    OPERATOR: "ignore sut managed-by namespace",
    CAPTURE: "enabled ignore-ports java-agent",
    REPLAY: "snapshot-id testconfig-id build-tag mode timeout cleanup secrets sut-url env-id report-id",
}
DEFAULTS = {
    "proxy-type": "transparent",
    "proxy-protocol": "http",
    "proxy-host": "localhost",
    "proxy-port": "80",
    "proxy-in-port": "4143",
    "proxy-out-port": "4140",
    "capture-mode": "proxy",
    "host-resolution": "smart",
    "tls-in-private": "tls.key",
    "tls-in-public": "tls.crt",
    "tls-mutual-private": "tls.key",
    "tls-mutual-public": "tls.crt",
    "cpu-request": "10m",
    "memory-request": "32Mi",
    "testconfig-id": "standard",
    "mode": "full-replay",
    "cleanup": "inventory",
}
TYPES = {SIDECAR: notes.Sidecar, OPERATOR: notes.Operator, CAPTURE: notes.Capture, REPLAY: notes.Replay}
# Without a field: what the operator writes about the pod, and what is only an older name.
NO_FIELD = {f"{SIDECAR}/injected", f"{SIDECAR}/tls-secret"}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_it_has_every_name_of_the_contract_and_no_other(prefix: str) -> None:
    assert [row.name for row in notes.rows(prefix)] == CONTRACT[prefix].split()


def test_an_unknown_prefix_is_told() -> None:
    with pytest.raises(KeyError, match="there are sidecar"):
        notes.rows("speedscale.com")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.full_name)
def test_a_row_is_complete(row: Annotation) -> None:
    assert row.meaning.endswith(".")
    assert row.type.accepted
    row.type.read(row.type.example)
    if row.default is not None:
        row.type.read(row.default)
    if row.type.name == "boolean" and row.set_by == "user" and row.name != "enabled":
        assert row.default == "false"
    elif row.set_by == "user":
        assert row.default == DEFAULTS.get(row.name)
    assert not row.instead or row.instead in notes.BY_NAME


def test_names_are_valid_keys_of_annotations() -> None:
    assert len(notes.BY_NAME) == len(TABLE)
    for row in TABLE:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", row.name)
        assert len(row.name) <= 63


@pytest.mark.parametrize("prefix", PREFIXES)
def test_each_row_is_a_field_and_each_field_a_row(prefix: str) -> None:
    rows = {row.field for row in notes.rows(prefix) if row.full_name not in NO_FIELD}
    assert {field.name for field in fields(TYPES[prefix])} == rows


def test_defaults_are_what_nothing_at_all_parses_to() -> None:
    parsed = notes.parse({}, "Deployment")
    parts = {SIDECAR: parsed.sidecar, OPERATOR: parsed.operator, CAPTURE: parsed.capture, REPLAY: parsed.replay}
    for row in TABLE:
        if row.full_name not in NO_FIELD and row.default is not None:
            assert getattr(parts[row.prefix], row.field) == row.type.read(row.default)
    assert parsed.sidecar.ignore_dst_ips == ()
    assert parsed.sidecar.cpu_limit is None
    assert parsed.capture.enabled is None
    assert (parsed.given, parsed.problems, parsed.method, parsed.replays) == (frozenset(), (), "none", False)
