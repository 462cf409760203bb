"""The one error of a chain. Raised all over this package, and told to the user by whoever runs the chain."""

from __future__ import annotations


class TransformError(Exception):
    """A chain that cannot go on with this pair. The message says why and holds no value of the traffic."""
