"""Values: what a platform engineer sets, layered, checked and typed.

`load` and `from_mapping` give `Values` or raise `ValuesError` with every problem. Components read `Values` only.
"""

from .frozen import plain
from .loading import from_mapping, load
from .model import Values
from .places import Refusal, ValuesError, Warned, text
from .tree import defaults

__all__ = ["Refusal", "Values", "ValuesError", "Warned", "defaults", "from_mapping", "load", "plain", "text"]
