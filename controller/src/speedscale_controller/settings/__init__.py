"""What the operator is told: its environment, and the two ConfigMaps behind it, read again while it runs.

`Settings.parse(environ)` is one reading; `compose` makes one of what ConfigMaps and environment say, and which
of it was refused. Pure; who watches the ConfigMaps is `manager.live`.
"""

from .compose import Composed, Refused, compose, of_process
from .model import RESTART, Settings, restart_needed

__all__ = ["RESTART", "Composed", "Refused", "Settings", "compose", "of_process", "restart_needed"]
