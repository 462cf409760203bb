"""Exporters: where pairs go. One module a kind; adding one is a module with an `Exporter` and a row in `KINDS`.

A kind's module is imported when it is first asked for: protobuf and an HTTP client are no business of a recording.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec

from .base import Exporter, Handover, Item, Sent

__all__ = ["KINDS", "Exporter", "Handover", "Item", "Sent", "create"]

KINDS: Mapping[str, tuple[str, str]] = {
    "files": ("files", "FilesExporter"),
    "parquet": ("parquet", "ParquetExporter"),
    "otlp": ("otlp", "create"),
    "firehose": ("firehose", "FirehoseExporter"),
    "s3": ("s3", "S3Exporter"),
    "kafka": ("kafka", "KafkaExporter"),
    "backend": ("backend", "BackendExporter"),
}


def create(spec: ExporterSpec, since: float) -> Exporter:
    """Return the exporter of an entry; `since` is when its cursor was last saved (Unix seconds)."""
    module, name = KINDS[spec.kind]
    made: Exporter = getattr(importlib.import_module(f".{module}", __package__), name)(spec, since)
    return made
