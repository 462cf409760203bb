"""What an exporter's type demands: keys that it needs, keys that belong to another type, an address with a port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from speedscale_manifests.values.places import Path

from .rule import Finding, Rule, Tree

COMMON = frozenset({"type", "filter_rule", "dlp_config_id", "maxRecordBytes", "timeoutSeconds"})
_AWS = frozenset({"region", "endpointURL", "credentialsSecret", "caSecret"})
KEYS: Mapping[str, frozenset[str]] = {
    "otlp": COMMON | {"otel_endpoint", "protocol", "compression", "headersSecret", "caSecret", "clientCertSecret"},
    "parquet": COMMON | {"lingerSeconds", "keepDays"},
    "jsonl": COMMON,
    "firehose": COMMON | _AWS | {"stream"},
    "s3": COMMON | _AWS | {"bucket", "prefix", "lingerSeconds"},
    "kafka": COMMON
    | {"brokers", "topic", "tls", "compression", "saslMechanism", "saslSecret", "caSecret", "clientCertSecret"},
}
NEEDED: Mapping[str, tuple[str, ...]] = {
    "otlp": ("otel_endpoint",),
    "firehose": ("stream",),
    "s3": ("bucket",),
    "kafka": ("brokers", "topic"),
}
_BASE: Path = ("forwarder", "exporters")


def _keys(tree: Tree) -> Iterator[Finding]:
    for name, exporter in tree["forwarder"]["exporters"].items():
        kind = exporter.get("type") or "otlp"
        for key in NEEDED.get(kind, ()):
            if not exporter.get(key):
                yield Finding((*_BASE, name, key), f"the key {key!r} is missing; type {kind} needs it", f"write {key}")
        for key in sorted(exporter.keys() - KEYS[kind]):
            owners = ", ".join(k for k, keys in KEYS.items() if key in keys)
            if _means_something(exporter[key]):
                yield Finding((*_BASE, name, key), f"means nothing to type {kind}", f"it belongs to {owners}")
        if bool(exporter.get("saslMechanism")) != bool(exporter.get("saslSecret")):
            yield Finding((*_BASE, name, "saslSecret"), "saslMechanism and saslSecret go together", "set both or none")


def _means_something(value: Any) -> bool:
    return value not in ("", 0, False, None, [], {}, (), "auto", "none")


def _addresses(tree: Tree) -> Iterator[Finding]:
    for name, exporter in tree["forwarder"]["exporters"].items():
        for key in ("otel_endpoint", "endpointURL"):
            text = exporter.get(key) or ""
            try:
                _ = urlsplit(text).port
            except ValueError:
                remedy = "e.g. http://otelcol.example.com:4318, or port 4317 for gRPC"
                yield Finding((*_BASE, name, key), f"{text!r} has no valid port", remedy)


RULES = (
    Rule("exporter-keys", "refuse", "an exporter has what its type needs, and nothing of another's", _keys),
    Rule("exporter-address", "refuse", "an exporter's address has a valid port", _addresses),
)
