"""Certificates, secrets and INSTANCE_ID in the cluster: what `certificates` decides is read and written here.

`Identity` is the reconciler; its parts are one module each, and all of them work through a `Desk`. Nothing of what is
made here is in git.
"""

from .instance import Instance, adopt
from .reconciler import Identity

__all__ = ["Identity", "Instance", "adopt"]
