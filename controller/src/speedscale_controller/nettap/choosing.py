"""From wishes to the document: who is captured, who is refused, who does not fit. Pure.

Bounded, as a ConfigMap holds 1 MiB: a workload takes at most 800 bytes, a refusal 1,700. Beyond `WORKLOADS_MAX`
workloads, in the order of their names, the rest is left out and told; refusals beyond `REFUSED_MAX`, and what their
messages have beyond `MESSAGE_MAX` characters, are told by Events alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from speedscale_schemas.nettap import Refusal, Refused, Targets, Workload, render

from .asking import Wish

WORKLOADS_MAX: Final = 1_000
REFUSED_MAX: Final = 100
MESSAGE_MAX: Final = 300
TOO_MANY: Final = "too_many_workloads"
NOT_INSTALLED: Final = "not_installed"
REASONS: Final = (*(refusal.value for refusal in Refusal), TOO_MANY, NOT_INSTALLED)
"""Every reason, as a metric's label."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is written (None: nothing), what is captured by it, and who is not, each with a reason and a message."""

    text: str | None
    captured: tuple[Wish, ...] = ()
    refused: tuple[tuple[Wish, str, str], ...] = ()


def choose(wishes: Iterable[Wish], *, installed: bool) -> Choice:
    """Return the document for these workloads; the same in whatever order they are given."""
    known = sorted(wishes, key=lambda w: w.place)
    refused = [(w, w.refusal.value, w.message) for w in known if w.refusal is not None]
    good = [w for w in known if w.refusal is None]
    if not installed:
        message = "nettap is no part of this installation: set value ebpf.enabled, or use the sidecar"
        return Choice(None, (), (*refused, *((w, NOT_INSTALLED, message) for w in good)))
    captured, beyond = good[:WORKLOADS_MAX], good[WORKLOADS_MAX:]
    targets = Targets(
        tuple(Workload(w.place, w.label, w.ignore_ports) for w in captured),
        tuple(Refused(w.place, w.refusal, w.message[:MESSAGE_MAX]) for w in known if w.refusal is not None)[
            :REFUSED_MAX
        ],
    )
    message = f"nettap captures {WORKLOADS_MAX} annotated workloads and no more; use capture.targets of the values"
    return Choice(render(targets), tuple(captured), (*refused, *((w, TOO_MANY, message) for w in beyond)))
