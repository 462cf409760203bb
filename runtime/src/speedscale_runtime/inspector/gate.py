"""Whether a caller may ask for this at all, before the cluster is asked anything. Pure.

Three things bound the inspector. Labels: ACCESS_LABELS names what the caller's API key must bear; the backend fills
in who that is. Namespaces: NAMESPACE_SELECTOR. Rights: its account's, which only the API server judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_schemas.inspector import Reason, Refusal

from .config import Settings


def check(settings: Settings, labels: Mapping[str, str], arguments: Mapping[str, Any]) -> None:
    """Return when a caller with these labels may ask this; Refusal otherwise."""
    lacking = sorted(f"{k}={v}" for k, v in settings.access_labels.items() if labels.get(k) != v)
    if lacking:
        told = f"this cluster is for API keys with the labels {', '.join(lacking)} (inspector.accessLabels)"
        raise Refusal(Reason.ACCESS_LABELS, told)
    namespace = str(arguments.get("namespace", ""))
    if namespace and not settings.watches(namespace):
        told = f"namespace {namespace} is not among those of this installation: {', '.join(settings.namespaces)}"
        raise Refusal(Reason.NAMESPACE_NOT_WATCHED, f"{told} (namespaceSelector)")


def spaces(settings: Settings, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the namespaces that a listing asks for one by one; an empty one means all at once."""
    namespace = str(arguments.get("namespace", ""))
    return (namespace,) if namespace else settings.namespaces or ("",)
