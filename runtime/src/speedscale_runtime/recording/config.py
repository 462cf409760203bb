"""Whom traffic belongs to and where it is sent: the settings that every recorder has, whatever else it is told.

Called by the settings of proxy and nettap. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the traffic belongs to; goes into every pair."""

    service: str
    cluster: str
    namespace: str
    app_label: str
    pod_name: str
    pod_ip: str
    proxy_id: str


@dataclass(frozen=True, slots=True)
class ForwarderTarget:
    """Where and how batches are sent; empty file names mean none."""

    host: str
    port: int
    tls: bool
    ca_file: str
    token_file: str
    timeout_s: float
    compression: str


def forwarder(v: Mapping[str, Any], problems: list[str]) -> ForwarderTarget | None:
    """Return the target that parsed settings name; None, and a problem added, when FORWARDER_ADDR is none."""
    text = v["FORWARDER_ADDR"]
    want = "expected host:port, http://host:port or https://host:port"
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        port = url.port
    except ValueError as error:
        problems.append(f"environment: FORWARDER_ADDR: {text!r}: {error}; {want}")
        return None
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
        problems.append(f"environment: FORWARDER_ADDR: {text!r}: {want}")
        return None
    tls = url.scheme == "https"
    return ForwarderTarget(
        host=url.hostname,
        port=port or (443 if tls else 80),
        tls=tls,
        ca_file=v["FORWARDER_CA_FILE"],
        token_file=v["FORWARDER_TOKEN_FILE"],
        timeout_s=float(v["FORWARDER_TIMEOUT_S"]),
        compression=v["BATCH_COMPRESSION"],
    )
