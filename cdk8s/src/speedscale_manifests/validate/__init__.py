"""Does the output hold: values, files, schemas, policies, kustomizations, a live cluster.

Called by `speedctl validate`, by the demo and by tests. Each check is a named step; a step that cannot run says why.
Nothing here writes to a cluster or to the output.
"""

from .findings import Found, Report, State, Step, named

__all__ = ["Found", "Report", "State", "Step", "named"]
