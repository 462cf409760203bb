"""What the operator tells about itself: logs, metrics, and the server of /healthz, /readyz and /metrics."""

from .logs import configure, set_level
from .metrics import Metrics

__all__ = ["Metrics", "configure", "set_level"]
