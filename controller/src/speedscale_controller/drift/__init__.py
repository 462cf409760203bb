"""Drift: managed components as they are wanted against what lives, and what may be done about it. Pure.

Called by `components`. `compare` says which fields of one object differ, leaving alone what others set by right (a
HorizontalPodAutoscaler's replicas, an injected sidecar, what looks like a default). `plan` makes of all objects of
a component one list of steps: create, apply, delete, report, leave; each with a reason. `Patience` says when to stop
putting right what somebody keeps changing. No client, no clock.
"""

from .compare import Differences, compare, mending, removal
from .marks import gitops_tool
from .model import STAMP, Action, Plan, Policy, Reason, Step
from .patience import Patience
from .planning import plan

__all__ = [
    "STAMP",
    "Action",
    "Differences",
    "Patience",
    "Plan",
    "Policy",
    "Reason",
    "Step",
    "compare",
    "gitops_tool",
    "mending",
    "plan",
    "removal",
]
