"""What the ingest counts beside the ledger, and what capture counts, as Prometheus text and as JSON.

`Counters` is written by the other modules on the event loop's thread and read when scraped, on another one: single
numbers, so nothing is torn. Capture's own numbers come in STATS frames: those that are known get the names that the
vendor's nettap gives them, all others stand in one family by name and label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from speedscale_runtime.recording import metrics
from speedscale_runtime.recording.ledger import Ledger

from .causes import Ended, Missing, Passed, Unread
from .wire import BadLine

E = TypeVar("E", bound=StrEnum)

PREFIX: Final = "speedscale_nettap_"
_CAPTURE: Final[Mapping[str, tuple[str, str, str, float]]] = {
    "probe_calls": ("nettap_probe_calls_total", "probe", "Calls that a program saw begin", 1),
    "probe_returns": ("nettap_probe_returns_total", "probe", "Calls that a program saw return", 1),
    "bytes_processed": ("nettap_probe_bytes_processed_total", "direction", "Bytes of traffic that were read", 1),
    "chunks_published": ("nettap_probe_chunks_published_total", "kind", "Chunks handed to the rings", 1),
    "ringbuf_drops": ("nettap_ringbuf_drops_total", "ring", "Records for which a ring had no room", 1),
    "program_runs": ("nettap_bpf_program_runs_total", "program", "Runs of a program, where the kernel counts them", 1),
    "program_run_time_ns": (
        "nettap_bpf_program_run_time_seconds_total",
        "program",
        "Time in a program, where the kernel counts it",
        1e-9,
    ),
}
"""Names in STATS → name, label, text, factor; names, and labels where they are known, are the vendor's."""


class Counters:
    """Numbers of one ingest."""

    def __init__(self) -> None:
        self.opened = 0  # sockets
        self.unread = dict.fromkeys(Unread, 0)
        self.ended = dict.fromkeys(Ended, 0)
        self.gaps = dict.fromkeys(Missing, 0)
        self.gap_bytes = dict.fromkeys(Missing, 0)
        self.passed_over = dict.fromkeys(Passed, 0)
        self.bad_lines = dict.fromkeys(BadLine, 0)
        self.lines = 0  # connections of a capture process
        self.frames = 0
        self.line_bytes = 0
        self.dns_answers = 0
        self.dns_refused = 0
        self.faults = 0
        self.capture: dict[str, dict[str, float]] = {}  # of STATS: name → label → number
        self.gauges: dict[str, tuple[str, float]] = {}  # name → text, number: set when scraped

    def gap(self, reason: Missing, count: int) -> None:
        """Count a gap of `count` bytes."""
        self.gaps[reason] += 1
        self.gap_bytes[reason] += count

    def passed(self, why: Passed, count: int) -> None:
        """Count what is passed over: a socket, or bytes of one that nobody asked for."""
        self.passed_over[why] += count or 1

    def stats(self, found: object) -> None:
        """Take the counters of a STATS frame: name → label → number; what is no number is left out."""
        if not isinstance(found, dict):
            return
        taken: dict[str, dict[str, float]] = {}
        for name, labels in list(found.items())[:256]:
            if isinstance(labels, dict):
                numbers = {k: v for k, v in list(labels.items())[:512] if type(v) in (int, float)}
                taken[str(name)[:64]] = {str(k)[:128]: v for k, v in numbers.items()}
        self.capture = taken

    def snapshot(self) -> dict[str, object]:
        """Return all numbers as plain data."""
        return {
            "opened": self.opened,
            "ended": _plain(self.ended),
            "unread": _plain(self.unread),
            "passedOver": _plain(self.passed_over),
            "gaps": _plain(self.gaps),
            "gapBytes": _plain(self.gap_bytes),
            "badLines": _plain(self.bad_lines),
            "lines": self.lines,
            "frames": self.frames,
            "lineBytes": self.line_bytes,
            "dnsAnswers": self.dns_answers,
            "dnsRefused": self.dns_refused,
            "faults": self.faults,
            **{name: number for name, (_, number) in self.gauges.items()},
            "capture": self.capture,
        }


def exposition(counters: Counters, ledger: Ledger) -> bytes:
    """Return everything in Prometheus' text format 0.0.4."""
    families = [*metrics.families(ledger, PREFIX), *_own(counters), *_captures(counters.capture)]
    return "".join(families).encode()


def _own(c: Counters) -> Iterator[str]:
    singles = (
        ("sockets_opened", c.opened, "Sockets that were captured"),
        ("lines", c.lines, "Connections of a capture process"),
        ("frames", c.frames, "Frames that capture sent"),
        ("line_bytes", c.line_bytes, "Bytes that capture sent"),
        ("dns_answers", c.dns_answers, "DNS answers from which names were learnt"),
        ("dns_refused", c.dns_refused, "DNS messages that could not be read"),
        ("faults", c.faults, "Faults of ours while reading traffic"),
    )
    for name, number, text in singles:
        yield metrics.family(f"{PREFIX}{name}_total", "counter", text, [("", number)])
    labelled: tuple[tuple[str, str, Mapping[str, int], str], ...] = (
        ("sockets_ended", "how", _plain(c.ended), "Sockets whose story ended"),
        (
            "connections_unread",
            "cause",
            _plain(c.unread),
            "Connections whose contents were not, or no longer, recorded",
        ),
        ("passed_over", "cause", _plain(c.passed_over), "Sockets passed over; of unknown ones their bytes"),
        ("gaps", "reason", _plain(c.gaps), "Gaps in what was seen of streams"),
        ("gap_bytes", "reason", _plain(c.gap_bytes), "Bytes missing in what was seen of streams"),
        ("bad_lines", "reason", _plain(c.bad_lines), "Lines ended because what came is no frame"),
    )
    for name, label, numbers, text in labelled:
        samples = [(f'{{{label}="{value}"}}', number) for value, number in numbers.items()]
        yield metrics.family(f"{PREFIX}{name}_total", "counter", text, samples)
    for name, (text, value) in sorted(c.gauges.items()):
        yield metrics.family(f"{PREFIX}{name}", "gauge", text, [("", value)])


def _captures(stats: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    others: list[tuple[str, float]] = []
    for name, labels in stats.items():
        known = _CAPTURE.get(name)
        if known is None:
            others += [(f'{{counter="{_escaped(name)}",label="{_escaped(k)}"}}', v) for k, v in labels.items()]
            continue
        full, label, text, factor = known
        samples = [(f'{{{label}="{_escaped(k)}"}}', v * factor if factor != 1 else v) for k, v in labels.items()]
        yield metrics.family(full, "counter", text, samples)
    if others:
        yield metrics.family(f"{PREFIX}capture_counter_total", "counter", "Other counters of capture", others)


def _escaped(text: str) -> str:
    """Escape a label's value as the text format asks; what capture sends is not ours to trust."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(numbers: Mapping[E, int]) -> dict[str, int]:
    return {str(key): number for key, number in numbers.items()}
