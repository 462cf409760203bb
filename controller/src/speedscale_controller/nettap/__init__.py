"""The reconciler of nettap's targets: which workloads are captured without a sidecar, told to every node.

Annotations `capture.speedscale.com/*` are read, ConfigMap `speedscale-nettap-targets` is written. No workload is ever
touched: pods need no restart to be captured, nor to be captured no longer.
"""

from .reconciler import Nettap

__all__ = ["Nettap"]
