"""What a reconciler is, what it is given, and how the cluster is watched for it and for admission."""

from .protocol import Context, Reconciler
from .watched import Scope, Watched

__all__ = ["Context", "Reconciler", "Scope", "Watched"]
