"""Replays, pure: what a TrafficReplay asks for, which traffic that is, which state it is in and what is to be done.

Called by the reconciler (`replays`), which gathers and acts; `hold`, `in_force` and `namespaces_in_use` also by
admission, healing and identity. No I/O, no clock, no randomness.
"""

from .consent import ALLOW_FROM, consents
from .decision import Decision, Limits, Observed, Phase
from .holding import Hold, hold, in_force, namespaces_in_use
from .machine import decide
from .memory import Memory, WorkloadPatch
from .model import Replay
from .plan import Plan, plan

__all__ = [
    "ALLOW_FROM",
    "Decision",
    "Hold",
    "Limits",
    "Memory",
    "Observed",
    "Phase",
    "Plan",
    "Replay",
    "WorkloadPatch",
    "consents",
    "decide",
    "hold",
    "in_force",
    "namespaces_in_use",
    "plan",
]
