"""Injection: the pure code that puts the sidecar into a workload and takes it out again.

Called by admission and by healing. `decide` is the whole of it: strip what is ours, then add what the annotations and a
running replay ask for; a verdict comes out. `patch` turns two objects into a JSON Patch. No I/O, no clock, no
randomness.
"""

from .decision import Operation, decide
from .facts import Cluster, Facts, Installation, Limits, Namespace, Quota, ReplayPatch
from .json_patch import patch
from .verdict import Inject, Leave, Reason, Remove, Skip, Verdict
from .workload import (
    annotations_of,
    app_label,
    containers,
    labels_of,
    mapping,
    metadata,
    our_containers,
    pod_template,
)

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
    "annotations_of",
    "app_label",
    "containers",
    "decide",
    "labels_of",
    "mapping",
    "metadata",
    "our_containers",
    "patch",
    "pod_template",
]
