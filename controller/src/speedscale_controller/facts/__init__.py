"""What is known around a workload, kept in memory: the facts that `injection.decide` is given.

Admission (each replica) and healing (the leader) know the same things in the same way: namespaces, quotas and limits,
who we are, which replays hold which workloads, what the cluster can. `watched(settings)` are the collections, `Memory`
makes facts of their stores. No call to the API server is made for a decision; `observe` is, now and then. Who reads
live (replays, `speedctl`) puts facts together by `assemble`, too.
"""

from .assembly import assemble
from .cluster import cluster_of, observe, server_version
from .collections import IDENTITY, LIMITS, QUOTAS, REPLAYS, Identity, namespaces, watched, word_changed
from .consent import consented
from .memory import Memory

__all__ = [
    "IDENTITY",
    "LIMITS",
    "QUOTAS",
    "REPLAYS",
    "Identity",
    "Memory",
    "assemble",
    "cluster_of",
    "consented",
    "namespaces",
    "observe",
    "server_version",
    "watched",
    "word_changed",
]
