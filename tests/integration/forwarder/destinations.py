"""Servers that the forwarder's exporters send to: how they are named in EXPORTERS, and what is looked for in them."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import export_servers as servers
import kafka_server

NAME = "collector.invalid"
"""A name of a server that only a proxy finds; certificates are for it, too."""
KINDS = ("http", "grpc", "s3", "firehose", "kafka", "backend")
CLASSES: dict[str, type[servers.Server]] = {
    "http": servers.Collector,
    "grpc": servers.Collector,
    "s3": servers.S3Server,
    "firehose": servers.Aws,
    "kafka": kafka_server.Kafka,
    "backend": servers.Backend,
}


def uuids(*numbers: int) -> list[str]:
    return sorted(base64.b64encode(uuid.UUID(int=n + 1).bytes).decode() for n in numbers)


def entry(kind: str, port: int, **more: object) -> dict[str, object]:
    """Return an exporter's entry for a server, or a relay before it, at `port`."""
    url = f"http://127.0.0.1:{port}"
    fixed: dict[str, dict[str, object]] = {
        "http": {"otel_endpoint": url},
        "grpc": {"otel_endpoint": url, "protocol": "grpc"},
        "s3": {"type": "s3", "bucket": servers.BUCKET, "endpoint_url": url, "linger_s": 0.2},
        "firehose": {"type": "firehose", "stream": servers.STREAM, "endpoint_url": url},
        "kafka": {"type": "kafka", "brokers": [f"127.0.0.1:{port}"], "topic": kafka_server.TOPIC},
        "backend": {"type": "backend"},
    }
    return {**fixed[kind], **more}


def environment(kind: str, port: int) -> dict[str, str]:
    """Return what else a forwarder needs to know of a server at `port`: where the backend is, is said for all of it."""
    if kind != "backend":
        return {}
    return {"SPEEDSCALE_APP_URL": f"http://127.0.0.1:{port}", "SPEEDSCALE_API_KEY": servers.API_KEY}


def port_of(kind: str, server: servers.Server) -> int:
    return server.grpc_port if kind == "grpc" and isinstance(server, servers.Collector) else server.port


def settings(exporters: dict[str, dict[str, object]], **more: str) -> dict[str, str]:
    return {"EXPORTERS": json.dumps(exporters), "WITH_DLP": "false", "CLUSTER_NAME": "west", **servers.KEYS, **more}


def arrived(forwarder: Any, name: str = "x") -> bool:
    status = forwarder.status()["exporters"][name]
    return bool(status["lagPairs"] == 0 and status["lagBytes"] == 0)


def self_signed(folder: Path, stem: str = "server") -> tuple[Path, Path]:
    """Return the files of a certificate for 127.0.0.1 and NAME, its own authority, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "collector")])
    named = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(NAME)]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{stem}.crt", folder / f"{stem}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    ssl.create_default_context(cafile=str(files[0]))
    return files
