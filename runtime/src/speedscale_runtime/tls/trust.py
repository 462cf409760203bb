"""The environment that makes the common runtimes trust the local CA."""

from __future__ import annotations

from .authority import Authority


def trust_environment(authority: Authority) -> dict[str, str]:
    """Return the variables by name; the caller merges JAVA_TOOL_OPTIONS with what is there."""
    raise NotImplementedError
