"""Requests to an API server with what a client library hides: the warnings that go with an answer."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import requests

from .cluster import Cluster
from .components import HOST

_TIMEOUT_S = 40.0
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Told(NamedTuple):
    """Status, object (or Status), warnings."""

    status: int
    body: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        """What a refusal says."""
        return str(self.body.get("message", ""))


def ask(
    cluster: Cluster, method: str, path: str, body: object = None, *, dry_run: bool = False, patch: str = ""
) -> Told:
    """Send a request as an administrator. `patch` is the content type of a PATCH."""
    layout = cluster.layout
    admin = layout.issued["admin"]
    answer = requests.request(
        method,
        f"https://{HOST}:{layout.ports['apiserver']}{path}",
        params={"dryRun": "All"} if dry_run else {},
        json=body,
        headers={"Content-Type": patch} if patch else {},
        cert=(str(admin.certificate), str(admin.key)),
        verify=str(layout.ca.certificate),
        timeout=_TIMEOUT_S,
    )
    # several warnings come as several headers, which are joined here
    warnings = tuple(text.replace('\\"', '"') for text in _WARNING.findall(answer.headers.get("Warning", "")))
    return Told(answer.status_code, answer.json(), warnings)
