"""The exporter `otlp`: OpenTelemetry logs, one log record a pair, over HTTP or gRPC.

`otlp_http` and `otlp_grpc` are imported when they are asked for.
"""

from __future__ import annotations

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Otlp

from .otlp_batched import OtlpExporter


def create(spec: ExporterSpec, since: float) -> OtlpExporter:
    """Return the exporter for the protocol that the entry names."""
    assert isinstance(spec.options, Otlp)
    if spec.options.protocol == "grpc":
        from .otlp_grpc import OtlpGrpcExporter

        return OtlpGrpcExporter(spec, since)
    from .otlp_http import OtlpHttpExporter

    return OtlpHttpExporter(spec, since)
