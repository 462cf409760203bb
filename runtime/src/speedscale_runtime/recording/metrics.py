"""The ledger's pairs and batches as Prometheus text, under the name of the service that records.

Called when scraped; nothing here is touched by traffic. The text is written here and not by `prometheus_client`, which
takes 4 MB of small services; all numbers are counters and gauges and all labels are enums, so nothing needs escaping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from .causes import Drop, Send
from .ledger import Ledger

COUNTERS: Mapping[str, tuple[str, str]] = {
    "pairs_seen": ("seen", "Exchanges and opaque connections that ended; captured + dropped + in flight"),
    "pairs_captured": ("captured", "Pairs that the forwarder acknowledged"),
    "pairs_truncated": ("truncated", "Pairs recorded with a cut body"),
    "batch_retries": ("batch_retries", "Attempts to send a batch beyond its first"),
}
LABELLED: Mapping[str, tuple[str, str, type[StrEnum], str]] = {
    "pairs_dropped": ("dropped", "cause", Drop, "Pairs that were seen and not captured"),
    "batches": ("sent", "outcome", Send, "Attempts to send a batch"),
}
_GAUGES = {
    "queue_bytes": ("queue_bytes", "Bytes of captured pairs held in memory"),
    "spill_bytes": ("spill_bytes", "Bytes of captured pairs in the spill"),
}


def families(
    ledger: Ledger,
    prefix: str,
    *,
    counters: Mapping[str, tuple[str, str]] = COUNTERS,
    labelled: Mapping[str, tuple[str, str, type[StrEnum], str]] = LABELLED,
) -> Iterator[str]:
    """Yield the families of a ledger: `counters` are name → slot, text, `labelled` also say label and its values."""
    get = ledger.get
    for name, (slot, text) in counters.items():
        yield family(f"{prefix}{name}_total", "counter", text, [("", get(slot))])
    for name, (group, label, values, text) in labelled.items():
        samples = [(f'{{{label}="{value.value}"}}', get(f"{group}.{value.value}")) for value in values]
        yield family(f"{prefix}{name}_total", "counter", text, samples)
    for name, (slot, text) in _GAUGES.items():
        yield family(prefix + name, "gauge", text, [("", get(slot))])
    in_flight = [("", ledger.in_flight())]
    yield family(f"{prefix}pairs_in_flight", "gauge", "Pairs seen, neither captured nor dropped", in_flight)


def family(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> str:
    """Return one family in Prometheus' text format 0.0.4; a sample is its labels, in braces, and a number."""
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{labels} {n}" for labels, n in samples)]
    return "\n".join(lines) + "\n"
