"""From a kind to a path: what the API server says it serves.

A manifest says `apiVersion: apps/v1, kind: Deployment`; the server is asked at
`/apis/apps/v1/namespaces/<namespace>/deployments/<name>`. The plural, and whether the kind lies in namespaces, only the
server knows: `GET /apis/apps/v1` lists both (API concepts, "Resource URIs" and "API discovery"). One answer tells all
kinds of a group and version, so it is asked once and kept; a kind that is not in it is asked for again, since a
CustomResourceDefinition may have come meanwhile.

Called by `client`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from .errors import NotFoundError


class Getter(Protocol):
    """What discovery needs of the transport."""

    def request(self, method: str, path: str) -> dict[str, Any]:
        """Send one request and return the JSON object that answers it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the server serves it. `verbs` are those of RBAC: get, list, patch, …"""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of a collection or of one object; without `namespace` a collection spans all namespaces.

        ValueError for one object of a namespaced kind without a namespace.
        """
        root = _root(self.api_version)
        if self.namespaced and namespace:
            root += f"/namespaces/{quote(namespace, safe='')}"
        elif self.namespaced and name:
            raise ValueError(f"{self.kind} {name} lies in a namespace; none was given")
        return f"{root}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


class Discovery:
    """The kinds of one cluster, asked for when first needed. Bounded by the groups and versions that callers name."""

    def __init__(self, transport: Getter) -> None:
        self._transport = transport
        self._known: dict[str, dict[str, Resource]] = {}

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how a kind is served; NotFoundError when the cluster does not know it."""
        known = self._known.get(api_version, {})  # another thread may forget meanwhile
        if kind not in known:
            try:
                known = self._known[api_version] = self._ask(api_version)
            except NotFoundError as error:
                raise NotFoundError("UnknownKind", f"the cluster serves no {api_version} {kind}") from error
        found = known.get(kind)
        if found is None:
            raise NotFoundError("UnknownKind", f"the cluster serves {api_version}, and no kind {kind} in it")
        return found

    def kinds(self, api_version: str) -> tuple[Resource, ...]:
        """Return all kinds of a group and version, sorted by name; empty when the cluster serves none."""
        known = self._known.get(api_version)
        if known is None:
            try:
                known = self._known[api_version] = self._ask(api_version)
            except NotFoundError:
                return ()
        return tuple(sorted(known.values(), key=lambda resource: resource.kind))

    def forget(self) -> None:
        """Ask anew for everything: definitions came or went."""
        self._known.clear()

    def _ask(self, api_version: str) -> dict[str, Resource]:
        answer = self._transport.request("GET", _root(api_version))
        found = {}
        for entry in answer.get("resources") or ():
            name = str(entry.get("name", ""))
            if "/" not in name:  # subresources: deployments/status
                kind, verbs = str(entry["kind"]), frozenset(map(str, entry.get("verbs") or ()))
                found[kind] = Resource(api_version, kind, name, bool(entry.get("namespaced")), verbs)
        return found


def _root(api_version: str) -> str:
    quoted = "/".join(quote(part, safe="") for part in api_version.split("/"))
    return f"/apis/{quoted}" if "/" in api_version else f"/api/{quoted}"
