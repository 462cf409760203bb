"""The bundle: what the installation brings along as ConfigMaps, read back into objects and templates.

Called by the manager, which keeps the last good one when a newer one is refused. Pure: mappings in, one frozen object
out. What is done with the objects is the business of `components`, `injection` and `replay`.
"""

from .model import Bundle, BundleError

__all__ = ["Bundle", "BundleError"]
