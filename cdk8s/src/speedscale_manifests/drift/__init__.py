"""git against live: what a cluster holds that the files do not say, and the other way round.

The question has two halves, and each has its own witness:

- *What would applying the files change?* The API server itself answers, by a server-side apply with `dryRun=All`: it
  knows defaults, quantities (`1000m` is `1`), list keys and conversions. What differs between its answer and the live
  object, at a path that the files name, is drift.
- *What did others add that the files do not name?* `metadata.managedFields` says who set each live field. A field
  that is not in the files is drift when somebody set it, unless that is a controller whose task it is: a
  default has no owner, a revision annotation belongs to kube-controller-manager, an environment variable added by
  `kubectl edit` belongs to a person.

`files` reads the folder, `gather` asks the cluster, `speedscale_kube.compare` judges one object, `report` tells it.
Called by the verb `diff`. Nothing here writes to a cluster.
"""

from speedscale_kube.compare import Change

from .files import Desired, Source, read
from .gather import compare
from .model import Drift, Report

__all__ = ["Change", "Desired", "Drift", "Report", "Source", "compare", "read"]
