"""Injection: the pure code that puts the sidecar into a workload and takes it out again.

Called by admission and by healing. `decide` is the whole of it: strip what is ours, then add what the annotations and a
running replay ask for; a verdict comes out. `patch` turns two objects into a JSON Patch. No I/O, no clock, no
randomness.
"""

from .decision import Operation, decide
from .facts import Cluster, Facts, Installation, Limits, Namespace, Quota, ReplayPatch
from .json_patch import patch
from .verdict import Inject, Leave, Reason, Remove, Skip, Verdict
from .workload import app_label, our_containers, pod_template, pod_template_path

__all__ = [
    "Cluster",
    "Facts",
    "Inject",
    "Installation",
    "Leave",
    "Limits",
    "Namespace",
    "Operation",
    "Quota",
    "Reason",
    "Remove",
    "ReplayPatch",
    "Skip",
    "Verdict",
    "app_label",
    "decide",
    "our_containers",
    "patch",
    "pod_template",
    "pod_template_path",
]
