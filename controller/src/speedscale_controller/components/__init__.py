"""The reconciler of managed components: forwarder, inspector, nettap, backend, demo.

Profile operator: made out of the bundle, rolled forward, removed. Profile gitops: compared, and mended only where DRIFT
is `enforce` and no GitOps tool owns the object. What differs and what is done about it is decided in `drift`.
"""

from .reconciler import Components

__all__ = ["Components"]
