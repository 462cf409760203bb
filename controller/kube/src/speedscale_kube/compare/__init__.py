"""One object as it is wanted and as it lives: which fields differ, and who set them.

The question has two halves, and each has its own witness. *What is said and not so?* differs at a path that the wanted
form names (`fields`); an API server's dry run of server-side apply, where it can be had, knows defaults, quantities
and list keys best. *What did others add?* `metadata.managedFields` says who set each live field (`ownership`); who
writes by right is a table (`known`).

Called by `speedctl diff` and by the controller's components. Pure: who asks the cluster is elsewhere.
"""

from .change import Change
from .fields import differences, subset
from .judge import judge, needs_defaults, recorded_defaults
from .known import is_controller, is_mark
from .ownership import Entry, entries, leaves, owners
from .paths import ABSENT, Item, Member, Path, child, text, value_at

__all__ = [
    "ABSENT",
    "Change",
    "Entry",
    "Item",
    "Member",
    "Path",
    "child",
    "differences",
    "entries",
    "is_controller",
    "is_mark",
    "judge",
    "leaves",
    "needs_defaults",
    "owners",
    "recorded_defaults",
    "subset",
    "text",
    "value_at",
]
