"""Pods that use a Secret of ours, and since when: asked only while a root or a token is being replaced.

What a pod trusts it read when it started. Pages of at most 100 pods; a namespace is asked again at each look only as
long as something waits for its pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from speedscale_kube import Client

_ENDED = frozenset({"Succeeded", "Failed"})


class Pod(NamedTuple):
    """A pod that mounts a Secret of ours, and when it was made."""

    name: str
    made: datetime


def holders(client: Client, namespace: str, secrets: frozenset[str]) -> list[Pod]:
    """Return the running pods of a namespace that mount one of these Secrets, the oldest first."""
    found = [
        Pod(str(pod["metadata"]["name"]), _moment(pod["metadata"].get("creationTimestamp")))
        for page in client.pages("v1", "Pod", namespace)
        for pod in page.items
        if (pod.get("status") or {}).get("phase") not in _ENDED and secrets.intersection(_mounted(pod))
    ]
    return sorted(found, key=lambda pod: (pod.made, pod.name))


def oldest(pods: list[Pod]) -> datetime | None:
    """Return when the oldest was made, None without any."""
    return pods[0].made if pods else None


def named(pods: list[Pod], limit: int = 10) -> str:
    """Return names for a message, at most `limit` of them."""
    names = ", ".join(pod.name for pod in pods[:limit])
    return names if len(pods) <= limit else f"{names} and {len(pods) - limit} more"


def _mounted(pod: Mapping[str, Any]) -> Iterator[str]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        yield str((volume.get("secret") or {}).get("secretName", ""))
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield str((source.get("secret") or {}).get("name", ""))


def _moment(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # as old as can be: it is waited for
