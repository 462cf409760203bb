"""Exporters: where pairs go. One module a kind; adding one is a module with an `Exporter` and a row in `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from speedscale_runtime.forwarder.config import ExporterSpec

from . import files, otlp
from .base import Exporter, Item, Sent

__all__ = ["KINDS", "Exporter", "Item", "Sent", "create"]

KINDS: Mapping[str, Callable[[ExporterSpec, float], Exporter]] = {
    "files": files.FilesExporter,
    "otlp": otlp.OtlpExporter,
}


def create(spec: ExporterSpec, since: float) -> Exporter:
    """Return the exporter of an entry; `since` is when its cursor was last saved (Unix seconds)."""
    return KINDS[spec.kind](spec, since)
