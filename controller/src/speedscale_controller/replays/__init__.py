"""The reconciler of TrafficReplays: gathers what a decision needs, has `replay` decide, and does it."""

from .reconciler import Replays

__all__ = ["Replays"]
