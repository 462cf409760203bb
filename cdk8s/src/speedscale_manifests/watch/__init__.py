"""Synthesis again whenever a values file changes, in one warm process."""

from .debounce import Debounce
from .files import Fingerprints, Notifier
from .loop import Cycle, watch

__all__ = ["Cycle", "Debounce", "Fingerprints", "Notifier", "watch"]
