"""Exporters as they are configured: one frozen object each, parsed from the entries of EXPORTERS. No connections here.

Called by `config` alone; each kind's exporter reads its own options. Which keys belong to which kind is the table
`_KEYS`: a key of another kind is a mistake that is named, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from speedscale_runtime.cloud.target import Target

GRPC_PORT = 4317
FIREHOSE_RECORD_BYTES = 1000 * 1024  # Amazon Data Firehose, PutRecordBatch: 1,000 KiB a record before base64

_RECORD_MAX_BYTES = {
    "files": 4 << 20,
    "parquet": 8 << 20,  # a row is held in memory a dozen times while it is written
    "otlp": 4 << 20,
    "firehose": FIREHOSE_RECORD_BYTES,
    "s3": 64 << 20,
    "kafka": 1_000_000,
    "backend": 16 << 20,
}
_COMMON = frozenset({"type", "filter_rule", "dlp_config_id", "max_record_bytes", "timeout_s"})
_TLS = frozenset({"ca_file", "client_cert_path"})
_AWS = frozenset({"region", "endpoint_url", "credentials_path", "ca_file"})
_KEYS: Mapping[str, frozenset[str]] = {
    "files": _COMMON | {"path", "format", "max_pairs_per_s"},
    "parquet": _COMMON | {"path", "linger_s", "keep_days"},
    "otlp": _COMMON | _TLS | {"otel_endpoint", "protocol", "headers", "headers_path", "compression"},
    "firehose": _COMMON | _AWS | {"stream"},
    "s3": _COMMON | _AWS | {"bucket", "prefix", "linger_s"},
    "kafka": _COMMON | _TLS | {"brokers", "topic", "tls", "sasl_mechanism", "sasl_path", "compression"},
    "backend": _COMMON,
}
_NEEDED: Mapping[str, tuple[str, ...]] = {"firehose": ("stream",), "s3": ("bucket",), "kafka": ("brokers", "topic")}
_LINGER_S = {"s3": 30.0, "parquet": 10.0}


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust (`ca_file`, PEM; empty: public roots) and who we are (a folder with tls.crt and tls.key)."""

    ca_file: str
    client_cert_path: str


@dataclass(frozen=True, slots=True)
class Aws:
    """How AWS is reached; empty fields leave it to the usual chain of boto3 (environment, files, roles)."""

    region: str
    endpoint_url: str
    credentials_path: str
    ca_file: str


@dataclass(frozen=True, slots=True)
class Files:
    """A recording in `path`; `max_pairs_per_s` is its pace while batches come in."""

    path: Path
    format: str
    max_pairs_per_s: float


@dataclass(frozen=True, slots=True)
class Parquet:
    """Partitions in `path`, deleted when older than `keep_days` (0: never)."""

    path: Path
    linger_s: float
    keep_days: float


@dataclass(frozen=True, slots=True)
class Otlp:
    """A receiver of OTLP logs at `endpoint`, by `protocol`."""

    endpoint: str
    protocol: Literal["http", "grpc"]
    headers: tuple[tuple[str, str], ...]
    compression: str
    tls: Tls


@dataclass(frozen=True, slots=True)
class Firehose:
    """A delivery stream of Amazon Data Firehose."""

    stream: str
    aws: Aws


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and what every key begins with (empty, or ends with a slash)."""

    name: str
    prefix: str
    linger_s: float
    aws: Aws


@dataclass(frozen=True, slots=True)
class Kafka:
    """A topic; `sasl_path` is a folder with `username` and `password`."""

    brokers: tuple[str, ...]
    topic: str
    compression: str
    use_tls: bool
    tls: Tls
    sasl_mechanism: str
    sasl_path: str


@dataclass(frozen=True, slots=True)
class Backend:
    """The backend that the service's settings name; None where they name none (which is a problem)."""

    target: Target | None


Options = Files | Parquet | Otlp | Firehose | Bucket | Kafka | Backend


@dataclass(frozen=True, slots=True)
class ExporterSpec:
    """One entry of EXPORTERS, defaults filled in; `options` is what its kind asks for."""

    name: str
    kind: str
    filter_rule: str
    dlp_config: str
    max_record_bytes: int
    timeout_s: float
    options: Options


def kind_of(spec: Mapping[str, Any]) -> str:
    """Return an entry's kind: what it says, else `otlp` where it has an endpoint, else `files`."""
    return str(spec.get("type") or ("otlp" if spec.get("otel_endpoint") else "files"))


class Parser:
    """Parses entries; `problems` collects what is wrong, `home` and `environ` fill in paths and `${NAME}`."""

    def __init__(self, home: Path, environ: Mapping[str, str], problems: list[str]) -> None:
        self._home, self._environ, self._problems = home, environ, problems

    def parse(self, name: str, spec: Mapping[str, Any], backend: Target | None) -> ExporterSpec:
        """Return one exporter; what is wrong with it is added to the problems, each with its place."""
        place = f"environment: EXPORTERS.{name}"
        kind = kind_of(spec)
        for key in sorted(spec.keys() - _KEYS[kind]):
            owners = ", ".join(k for k, keys in _KEYS.items() if key in keys)
            self._problems.append(f"{place}.{key}: means nothing to type {kind}; it belongs to {owners}")
        for key in _NEEDED.get(kind, ()):
            if not spec.get(key):
                self._problems.append(f"{place}.{key}: missing; type {kind} needs it")
        limit = int(spec.get("max_record_bytes", _RECORD_MAX_BYTES[kind]))
        if kind == "firehose" and limit > FIREHOSE_RECORD_BYTES:
            self._problems.append(f"{place}.max_record_bytes: {limit}: Firehose takes at most {FIREHOSE_RECORD_BYTES}")
        return ExporterSpec(
            name=name,
            kind=kind,
            filter_rule=str(spec.get("filter_rule", "")),
            dlp_config=str(spec.get("dlp_config_id", "")),
            max_record_bytes=limit,
            timeout_s=float(spec.get("timeout_s", 10)),
            options=self._options(kind, spec, place, backend),
        )

    def _options(self, kind: str, spec: Mapping[str, Any], place: str, backend: Target | None) -> Options:
        match kind:
            case "parquet":
                return Parquet(self._path(spec, "parquet"), _linger(kind, spec), float(spec.get("keep_days", 0)))
            case "otlp":
                return self._otlp(spec, place)
            case "firehose":
                return Firehose(str(spec.get("stream", "")), self._aws(spec))
            case "s3":
                prefix = str(spec.get("prefix", "byoc")).strip("/")
                bucket = str(spec.get("bucket", ""))
                return Bucket(bucket, f"{prefix}/" if prefix else "", _linger(kind, spec), self._aws(spec))
            case "kafka":
                return self._kafka(spec, place)
            case "backend":
                return Backend(backend)
            case _:
                path = self._path(spec, "recordings")
                return Files(path, str(spec.get("format", "markdown")), float(spec.get("max_pairs_per_s", 500)))

    def _path(self, spec: Mapping[str, Any], folder: str) -> Path:
        path = str(spec.get("path", ""))
        return Path(path).expanduser() if path else self._home / "data" / folder / "forwarder"

    def _otlp(self, spec: Mapping[str, Any], place: str) -> Otlp:
        text = str(spec.get("otel_endpoint", ""))
        port = self._port(text, f"{place}.otel_endpoint")
        asked = str(spec.get("protocol", "auto"))
        grpc = asked == "grpc" or (asked == "auto" and port == GRPC_PORT)
        endpoint = text if grpc or _url_path(text) else text.rstrip("/") + "/v1/logs"
        headers = (
            *_headers(spec.get("headers", {}), place, self._environ, self._problems),
            *_header_files(str(spec.get("headers_path", "")), place, self._problems),
        )
        return Otlp(endpoint, "grpc" if grpc else "http", headers, str(spec.get("compression", "none")), _tls(spec))

    def _port(self, text: str, place: str) -> int | None:
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError as error:
            self._problems.append(f"{place}: {text!r}: {error}")
            return None
        if url.scheme not in ("http", "https") or not url.hostname:
            self._problems.append(
                f"{place}: {text!r}: expected a URL such as http://otelcol:4318 or, for gRPC, http://otelcol:4317"
            )
        return port

    def _aws(self, spec: Mapping[str, Any]) -> Aws:
        names = ("endpoint_url", "credentials_path", "ca_file")
        # boto3 looks for AWS_DEFAULT_REGION alone; web identities on EKS come with AWS_REGION.
        region = str(spec.get("region") or self._environ.get("AWS_REGION", ""))
        return Aws(region, *(str(spec.get(name, "")) for name in names))

    def _kafka(self, spec: Mapping[str, Any], place: str) -> Kafka:
        mechanism, sasl = str(spec.get("sasl_mechanism", "")), str(spec.get("sasl_path", ""))
        if bool(mechanism) != bool(sasl):
            self._problems.append(f"{place}.sasl_mechanism and {place}.sasl_path: set both or none")
        return Kafka(
            brokers=tuple(str(b) for b in spec.get("brokers", ())),
            topic=str(spec.get("topic", "")),
            compression=str(spec.get("compression", "none")),
            use_tls=bool(spec.get("tls", False)),
            tls=_tls(spec),
            sasl_mechanism=mechanism,
            sasl_path=sasl,
        )


def _url_path(text: str) -> str:
    """Return a URL's path without slashes around it; empty where the text is no URL."""
    try:
        return urlsplit(text).path.strip("/")
    except ValueError:
        return ""


def _linger(kind: str, spec: Mapping[str, Any]) -> float:
    return float(spec.get("linger_s", _LINGER_S[kind]))


def _tls(spec: Mapping[str, Any]) -> Tls:
    return Tls(str(spec.get("ca_file", "")), str(spec.get("client_cert_path", "")))


def _headers(
    headers: Mapping[str, str], place: str, environ: Mapping[str, str], problems: list[str]
) -> tuple[tuple[str, str], ...]:
    found = []
    for name, value in headers.items():
        missing = [n for n in re.findall(r"\$\{(\w+)\}", value) if n not in environ]
        problems += [f"{place}.headers.{name}: variable {n!r} is not set" for n in missing]
        found.append((name, re.sub(r"\$\{(\w+)\}", lambda m: environ.get(m[1], ""), value)))
    return tuple(found)


def _header_files(folder: str, place: str, problems: list[str]) -> tuple[tuple[str, str], ...]:
    """Return a header for each file of a mounted Secret; names that begin with a dot are the mount's own."""
    if not folder:
        return ()
    try:
        files = sorted(f for f in Path(folder).iterdir() if f.is_file() and not f.name.startswith("."))
        found = tuple((file.name, file.read_text("utf-8").strip()) for file in files)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{place}.headers_path: {folder!r}: cannot be read ({type(error).__name__}); is it mounted?")
        return ()
    for name, value in found:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not value.isprintable():
            problems.append(f"{place}.headers_path: {folder}/{name}: is no header (RFC 9110 section 5.5)")
    return found
