"""Does the output hold: values, files, schemas, policies, kustomizations, a live cluster.

Called by `speedctl validate`, by the demo and by tests. Each check is a named step; a step that cannot run says why.
Nothing here writes to a cluster or to the output. `run` looks at files, `objects` at plain objects; `summary` prints
the table of objects that `Report.table` or `table` count.
"""

from .findings import Found, Report, State, Step, named
from .kubernetes import chosen, versions
from .render import summary
from .run import STEPS, Options, objects, run, table

__all__ = [
    "STEPS",
    "Found",
    "Options",
    "Report",
    "State",
    "Step",
    "chosen",
    "named",
    "objects",
    "run",
    "summary",
    "table",
    "versions",
]
