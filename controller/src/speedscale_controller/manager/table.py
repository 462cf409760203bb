"""The reconcilers of the operator, in the order in which they are started. A new one is a line here."""

from __future__ import annotations

from speedscale_controller.components import Components
from speedscale_controller.identity import Identity
from speedscale_controller.nettap import Nettap
from speedscale_controller.reconciling import Reconciler
from speedscale_controller.replays import Replays
from speedscale_controller.workloads import Workloads


def reconcilers() -> tuple[Reconciler, ...]:
    """Return them all, made anew: one set for each time that this process leads."""
    return (Identity(), Components(), Workloads(), Nettap(), Replays())
