"""Replays, pure: what a TrafficReplay asks for, which traffic that is, which state it is in and what is to be done.

Called by the reconciler (`replays`), which gathers and acts; `hold`, `in_force` and `namespaces_in_use` also by
admission, healing and identity. No I/O, no clock, no randomness.
"""

from .holding import Hold, hold, in_force, namespaces_in_use
from .memory import WorkloadPatch
from .model import Replay

__all__ = ["Hold", "Replay", "WorkloadPatch", "hold", "in_force", "namespaces_in_use"]
