"""May a TrafficReplay change workloads of another namespace? Only where that namespace says so.

Who may create TrafficReplays in one namespace could else have the operator change pods, lead calls elsewhere and mount
Secrets in any other: its rights would be theirs. The other namespace consents by an annotation, which only those can
write who may change the namespace. The operator's own namespace needs no consent: who may create objects there governs
the installation anyway. Asked by `plan` before a replay begins and with each look, and where patches are put in force
(admission, healing), since the operator's notes on a TrafficReplay could be written by its author. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from speedscale_schemas.annotations import REPLAY

ALLOW_FROM: Final = f"{REPLAY}/allow-from"
ANY: Final = "*"


def consents(home: str, target: str, own: str, annotations: Mapping[str, str]) -> bool:
    """Say whether replays of namespace `home` may change workloads of `target`, whose annotations are given.

    `own` is the operator's namespace.
    """
    if home in (target, own):
        return True
    named = {name.strip() for name in annotations.get(ALLOW_FROM, "").split(",")} - {""}
    return home in named or ANY in named


def refusal(home: str, target: str) -> str:
    """Return why not, and what to do."""
    return (
        f"namespace {target} does not allow replays from {home}; create the TrafficReplay in {target}, or have its"
        f" owner say so: kubectl annotate namespace {target} {ALLOW_FROM}={home}"
    )
