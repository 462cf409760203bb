"""Which worker runs which file of the cluster tests: two workers at most install Argo CD, and begin with it.

pytest-xdist gives out files by the number of their tests. Those with Argo CD have few and take longest, so they would
come last, and to every worker. A file's tests stay together: they share what is costly.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

ARGO_CD = "tests/cluster/argocd/"
LONGEST = (f"{ARGO_CD}test_removal.py", "tests/cluster/operator/test_replay_crashes.py")
"""What takes minutes: begun last, it would leave the other workers with nothing to do."""
_INSTALL = 2  # workers that install Argo CD


class ArgoFirst(LoadFileScheduling):  # type: ignore[misc]
    """Files with Argo CD to the first workers as long as there are others for the rest, and the other way round."""

    def _assign_work_unit(self, node: object) -> None:
        self.workqueue.move_to_end(self._next(node), last=False)
        super()._assign_work_unit(node)

    def _next(self, node: object) -> str:
        installs = self.nodes.index(node) < _INSTALL
        fitting = [scope for scope in self.workqueue if scope.startswith(ARGO_CD) == installs]
        long = [scope for scope in LONGEST if scope in fitting]
        return (long or fitting or list(self.workqueue))[0]
