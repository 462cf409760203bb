"""SPEEDSCALE_HOME: where a user's own rules, configs, snapshots, keys and certificates are kept.

The one place that knows its default and how a name becomes a document.
"""

from .documents import Found, find, read, stored_path
from .location import cache, folder

__all__ = ["Found", "cache", "find", "folder", "read", "stored_path"]
