"""What each command does: a function from a Call to the result as a whole, run in a thread of the pool.

A function emits items, notes what it changed, and raises what the cluster raises; `refusals` says what that means for
the caller. None decides whether the caller may: `gate` did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from speedscale_runtime.inspector.call import Call

from . import configuration, looking, replaying, sidecars, tailing

Act = Callable[[Call], dict[str, Any]]

TABLE: Final[Mapping[str, Act]] = {
    "list-workloads": looking.workloads,
    "list-pods": looking.pods,
    "list-nodes": looking.nodes,
    "list-namespaces": looking.namespaces,
    "list-services": looking.services,
    "list-events": looking.events,
    "list-secret-names": looking.secret_names,
    "logs": tailing.logs,
    "sidecar-add": sidecars.add,
    "sidecar-remove": sidecars.remove,
    "replay-start": replaying.start,
    "replay-status": replaying.status,
    "replay-follow": replaying.follow,
    "replay-cancel": replaying.cancel,
    "config-get": configuration.read,
    "config-set": configuration.write,
}

__all__ = ["TABLE", "Act"]
