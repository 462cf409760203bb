"""The reconciler of workloads: what admission missed is found and mended; what cannot be is told.

Admission is the fast way and may be absent, late or not called; this is the sure one. Both ask the same pure
`injection.decide`, so both come to the same object.
"""

from .reconciler import Workloads

__all__ = ["Workloads"]
