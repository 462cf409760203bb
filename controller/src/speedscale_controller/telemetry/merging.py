"""Metrics of several processes on one page: each sample gets the label `process`, each family stands once.

Called by the supervisor. Counters and histograms stay apart by process: adding them up is the reader's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LABEL = "process"


def merge(pages: Mapping[str, str]) -> bytes:
    """Return one exposition of the pages (text format 0.0.4) by process; a page that is none is left out."""
    families: dict[str, Metric] = {}
    for process in sorted(pages):
        for family in _families(pages[process]):
            whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            whole.samples += [
                Sample(s.name, {**s.labels, LABEL: process}, s.value, s.timestamp, s.exemplar) for s in family.samples
            ]
    registry = CollectorRegistry()
    registry.register(_Given(families[name] for name in sorted(families)))
    return generate_latest(registry)


def _families(page: str) -> list[Metric]:
    try:
        families = text_string_to_metric_families(page)
        return [family for family in families if family.samples and not family.name.endswith("_created")]
    except ValueError:
        return []


class _Given:
    """A collector of what it was given."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families
