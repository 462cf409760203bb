"""The traffic summary of a manifest: `inTraffic` and `outTraffic`, keyed `service:host:port`. Pure.

Source: the fields of the vendor's snapshot manifest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.names import split_authority
from speedscale_schemas.snapshot_keys import TrafficKey

_UNITS = ("B", "kB", "MB", "GB", "TB")


def key_of(pair: RRPair) -> TrafficKey:
    """Return who spoke with whom; the port is 0 where nothing says it and the scheme has no default."""
    doc = pair.doc
    service = str(doc.get("service") or doc.get("resource") or "")
    address = str(doc.get("network_address") or "")
    req = pair.http_request
    named = str((req or {}).get("host") or "")
    host, port = split_authority(address)
    named_host, named_port = split_authority(named)
    defaults = {"http": 80, "https": 443, "postgres": 5432}
    fallback = defaults.get(str(doc.get("l7protocol") or ""), 0)
    return TrafficKey(service, named_host or host, port or named_port or fallback)


@dataclass
class Endpoint:
    """Counts of one key."""

    key: TrafficKey
    protocol: str
    requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    duration_ms: int = 0
    tech: Counter[str] = field(default_factory=Counter)

    def add(self, pair: RRPair) -> None:
        """Count one pair."""
        self.requests += 1
        self.request_bytes += len(pair.request_body or b"")
        self.response_bytes += len(pair.response_body or b"")
        duration = pair.doc.get("duration", 0)
        self.duration_ms += int(duration) if isinstance(duration, int | float) else 0
        self.tech[str(pair.doc.get("tech") or "")] += 1

    def document(self, total: int) -> dict[str, Any]:
        """Return the entry of the manifest; `total` is the number of requests of the direction."""
        techs = sorted(t for t in self.tech if t)
        size = self.request_bytes + self.response_bytes
        return {
            "name": self.key.service,
            "hostname": self.key.host,
            "port": self.key.port,
            "protocol": self.protocol,
            "numRequests": self.requests,
            "reqBodyBytes": self.request_bytes,
            "resBodyBytes": self.response_bytes,
            "totalBytes": size,
            "totalBytesHumanized": humanized(size),
            "totalDuration": self.duration_ms,
            "avgLatency": round(self.duration_ms / self.requests, 3),
            "percentageOfTotal": round(100 * self.requests / total, 3),
            "detectedTech": ", ".join(techs),
            "detectedTechHash": dict.fromkeys(techs, "both"),
            "firstDetectedTech": techs[0] if techs else "",
        }


class Traffic:
    """Summary of one direction."""

    def __init__(self) -> None:
        self._endpoints: dict[TrafficKey, Endpoint] = {}

    def add(self, pair: RRPair) -> None:
        """Count one pair under its key."""
        key = key_of(pair)
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            endpoint = self._endpoints[key] = Endpoint(key, str(pair.doc.get("l7protocol") or ""))
        endpoint.add(pair)

    def document(self) -> dict[str, Any]:
        """Return the map of the manifest, by key."""
        total = sum(e.requests for e in self._endpoints.values())
        return {str(k): self._endpoints[k].document(total) for k in sorted(self._endpoints, key=str)}


def humanized(size: int) -> str:
    """Return bytes for people: `1.2 kB`, decimal units."""
    value = float(size)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
