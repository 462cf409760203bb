"""The verbs of an API server, on plain JSON objects: get, list, pages, watch, apply, create, update, patch, delete.

How writing works here. Server-side apply (API concepts, "Server-Side Apply") sends the fields that we have an opinion
on, under the name of a field manager; the server remembers per field who set it (`metadata.managedFields`). Applying
again without a field that we set before removes it; a field of another manager is a conflict, unless forced; a field
that nobody names keeps its default. So a writer states what it wants and never reads first, two writers with
different fields live on one object, and applying twice changes nothing, not even the resourceVersion.

How reading works here. A collection comes in pages of at most 100 objects (`limit`, `continue`), all of one
resourceVersion; a server forgets that version after some minutes and answers 410, and then only listing anew helps.

Used by the controller, by readers in the data plane and by `speedctl diff` and `validate`. Blocking: an asyncio
program calls it in a thread. Any thread may call it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from . import transport as wire
from .access import Access
from .discovery import Discovery, Resource
from .errors import GoneError, NotFoundError, not_kubernetes
from .logs import LogStream
from .objects import Object, Ref, ref
from .watch import Watch

PAGE_LIMIT = 100  # a page of 500 Deployments holds the interpreter for 30 ms
_RELISTS = 3
_GRACE_S = 15.0  # how much later than the server's own end a watch may be silent
Objects = list[Object]  # named here: inside Client, `list` is its method
JsonPatch = list[Any]
Propagation = Literal["Background", "Foreground", "Orphan"]
_LOG_BYTES = 16 * 1024
_DAY_S = 86_400.0
_PATCHES = {"merge": wire.MERGE, "json": wire.JSON_PATCH, "strategic": wire.STRATEGIC}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection. `resource_version` is where a watch would begin; the same on each page."""

    items: tuple[Object, ...]
    resource_version: str


class Client:
    """One cluster. `retries` is how often a busy server is asked again; `agent` names us in its audit log."""

    def __init__(
        self,
        access: Access,
        *,
        agent: str = "speedscale",
        retries: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access = access
        self._transport = wire.Transport(access, agent=agent, retries=retries, sleep=sleep)
        self._discovery = Discovery(self._transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and remove the private key files of the Access."""
        self._transport.close()
        self.access.close()

    def patient(self, seconds: float) -> Client:
        """Return this client with another patience: how long an answer may be silent (and connecting, up to 5 s).

        The connections and what is known of kinds are shared; closing one closes both.
        """
        other = copy.copy(self)
        other._transport = self._transport.view(timeout=(min(seconds, wire.CONNECT_S), seconds))
        return other

    def fenced(self, check: Callable[[], None]) -> Client:
        """Return this client with `check` called right before each request that writes; what it raises is raised.

        `Leader.check` is meant: who no longer leads does not write. Shares and closes like `patient`.
        """
        other = copy.copy(self)
        other._transport = self._transport.view(fence=check)
        return other

    @property
    def namespace(self) -> str:
        """The namespace of the context, which stands in where an object names none."""
        return self.access.namespace

    def version(self) -> str:
        """Return the server's version, `v1.34.4`; the cheapest question that shows whether it is there."""
        answer = self._transport.request("GET", "/version")
        if not isinstance(answer.get("gitVersion"), str):
            raise not_kubernetes(self.access.server, "GET /version: no gitVersion")
        return str(answer["gitVersion"])

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how a kind is served; NotFoundError when the cluster does not know it. Asked once, then kept."""
        return self._discovery.resource(api_version, kind)

    def forget_kinds(self) -> None:
        """Ask for kinds anew: definitions came or went."""
        self._discovery.forget()

    def ref(self, obj: Object) -> Ref:
        """Return the object's name as the cluster would file it: the context's namespace filled in, or none.

        NotFoundError for a kind that the cluster does not know; ValueError for an object without a name.
        """
        named = ref(obj)
        if not self.resource(named.api_version, named.kind).namespaced:
            return named._replace(namespace="")
        return named if named.namespace else named._replace(namespace=self.namespace)

    def get(self, which: Ref) -> Object:
        """Return one object; NotFoundError when it is not there."""
        return self._transport.request("GET", self._path(which))

    def find(self, which: Ref) -> Object | None:
        """Return one object, or None when it, or its kind, is not there."""
        try:
            return self.get(which)
        except NotFoundError:
            return None

    def pages(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = PAGE_LIMIT,
        metadata_only: bool = False,
    ) -> Iterator[Page]:
        """Yield a collection page by page; without `namespace` over all of them.

        `labels` and `fields` are selectors (`app=x,tier!=y`); `limit` is 1 to 100 objects a page; `metadata_only` has
        the server leave out everything else (API concepts, "Metadata-only fetches"). GoneError when the
        server forgot the version in between: what was yielded is a part, begin anew.
        """
        if not 1 <= limit <= PAGE_LIMIT:
            raise ValueError(f"limit is {limit}; a page has 1 to {PAGE_LIMIT} objects")
        path = self.resource(api_version, kind).path(namespace)
        accept = wire.METADATA if metadata_only else wire.JSON
        params = {"limit": str(limit), "labelSelector": labels, "fieldSelector": fields, "continue": ""}
        while True:
            answer = self._transport.request("GET", path, params={k: v for k, v in params.items() if v}, accept=accept)
            metadata, items = answer.get("metadata"), answer.get("items")
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise not_kubernetes(self.access.server, f"GET {path}: no list")
            # the items of a list of one kind do not say which kind they are
            whole = tuple({**item, "apiVersion": api_version, "kind": kind} for item in items or ())
            yield Page(whole, str(metadata.get("resourceVersion", "")))
            params["continue"] = str(metadata.get("continue") or "")
            if not params["continue"]:
                return

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = PAGE_LIMIT,
        metadata_only: bool = False,
    ) -> Objects:
        """Return a whole collection of one version, listed anew when the server forgot it; GoneError after 3 times.

        For collections that are known to be small; a large one is read by `pages`.
        """
        for left in reversed(range(_RELISTS)):
            pages = self.pages(
                api_version, kind, namespace, labels=labels, fields=fields, limit=limit, metadata_only=metadata_only
            )
            try:
                return [item for page in pages for item in page.items]
            except GoneError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        *,
        resource_version: str,
        timeout_s: int,
        labels: str = "",
        fields: str = "",
    ) -> Watch:
        """Open a watch on what changes after `resource_version` (that of a `Page`); use it in a `with` block.

        The server ends it after `timeout_s` seconds; bookmarks are asked for. GoneError when the version is too old
        (here, or while reading).
        """
        path = self.resource(api_version, kind).path(namespace)
        params = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_s)}
        params |= {"resourceVersion": resource_version, "labelSelector": labels, "fieldSelector": fields}
        given = {k: v for k, v in params.items() if v}
        return Watch(self._transport.stream(path, given, silence_s=timeout_s + _GRACE_S), f"WATCH {path}")

    def apply(
        self,
        obj: Object,
        manager: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = False,
        subresource: str = "",
    ) -> Object:
        """Server-side apply: make these fields so, as `manager`; return the object as it is (or, dry, would be).

        `force` takes fields from other managers, else ApplyConflictError names them. `dry_run` goes through defaults,
        admission and validation and writes nothing. `strict` refuses unknown and repeated fields. InvalidError when
        the object breaks its schema or changes an immutable field. `subresource` is `status` or the like: only that
        part of the object is written.
        """
        path = self._path(self.ref(obj)) + (f"/{subresource}" if subresource else "")
        params = {"fieldManager": manager, "force": "true" if force else "false"}
        params |= {"fieldValidation": "Strict"} if strict else {}
        params |= {"dryRun": "All"} if dry_run else {}
        return self._transport.request("PATCH", path, params=params, body=obj, content_type=wire.APPLY)

    def create(self, obj: Object, manager: str, *, dry_run: bool = False) -> Object:
        """Make an object that must not be there yet, as who claims a Lease does; ExistsError when it is."""
        which = self.ref(obj)
        path = self.resource(which.api_version, which.kind).path(which.namespace)
        params = {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}
        return self._transport.request("POST", path, params=params, body=obj)

    def review(self, obj: Object) -> Object:
        """Ask a question that the server answers and forgets: kinds of authorization.k8s.io and authentication.k8s.io.

        Such an object has no name; a LocalSubjectAccessReview has a namespace.
        """
        resource = self.resource(str(obj["apiVersion"]), str(obj["kind"]))
        path = resource.path(str((obj.get("metadata") or {}).get("namespace", "")))
        return self._transport.request("POST", path, body=obj)

    def update(self, obj: Object, manager: str, *, subresource: str = "", dry_run: bool = False) -> Object:
        """Put an object in the place of that one it was read from; ConflictError when it changed since.

        `metadata.resourceVersion` is the guard: without it the last writer wins, so ValueError.
        """
        which = self.ref(obj)
        if not obj["metadata"].get("resourceVersion"):
            raise ValueError(f"{which}: an update bears the resourceVersion that it was read with")
        path = self._path(which) + (f"/{subresource}" if subresource else "")
        params = {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}
        return self._transport.request("PUT", path, params=params, body=obj)

    def patch(
        self,
        which: Ref,
        change: Mapping[str, Any] | JsonPatch,
        manager: str,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Change parts of one object: RFC 7386 (merge), RFC 6902 (json) or Kubernetes' own strategic merge."""
        path = self._path(which) + (f"/{subresource}" if subresource else "")
        params = {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}
        return self._transport.request("PATCH", path, params=params, body=change, content_type=_PATCHES[kind])

    def delete(self, which: Ref, *, propagation: Propagation = "Background", dry_run: bool = False) -> bool:
        """Delete one object and, in the background, what it owns; False when it was not there."""
        params = {"propagationPolicy": propagation, **({"dryRun": "All"} if dry_run else {})}
        try:
            self._transport.request("DELETE", self._path(which), params=params)
        except NotFoundError:
            return False
        return True

    def log(
        self,
        pod: Ref,
        *,
        container: str = "",
        previous: bool = False,
        lines: int = 20,
        since: str = "",
        timestamps: bool = False,
        max_bytes: int = _LOG_BYTES,
    ) -> str:
        """Return the end of a container's log, at most `lines` (0: any) and `max_bytes`; `previous`: of its last run.

        `since` is RFC 3339, to the second, and leaves out what is older; `timestamps` puts the time before each line.
        """
        params = {
            "tailLines": str(lines or ""),
            "limitBytes": str(max_bytes),
            "previous": "true" if previous else "",
            "sinceTime": since,
            "timestamps": "true" if timestamps else "",
        }
        given = {k: v for k, v in {**params, "container": container}.items() if v}
        with self._transport.stream(f"{self._path(pod)}/log", given, silence_s=_GRACE_S) as answer:
            return bytes(answer.raw.read(max_bytes)).decode("utf-8", "replace")

    def ask(self, pod: Ref, port: int, path: str, *, max_bytes: int = _LOG_BYTES) -> bytes:
        """Return the beginning of what a pod answers to GET, through the API server.

        Needs the right `get` on `pods/proxy`. `path` begins with a slash; at most `max_bytes` are read.
        """
        asked = f"{self._path(pod)}:{port}/proxy{path}"
        with self._transport.stream(asked, {}, silence_s=_GRACE_S) as answer:
            return bytes(answer.raw.read(max_bytes, decode_content=True))

    def follow_log(
        self,
        pod: Ref,
        *,
        container: str = "",
        previous: bool = False,
        follow: bool = True,
        lines: int | None = None,
        since_s: int | None = None,
        since: str = "",
        stamps: bool = False,
        silence_s: float = _DAY_S,
    ) -> LogStream:
        """Open a container's log, from `lines` before its end (None: from its begin).

        `since_s`: of the last so many seconds; `since`: from a time on (RFC 3339). `stamps`: each line begins with its
        time and a space. `follow` goes on with what is written from now on. `silence_s` is how long nothing may come,
        also before the first line: kubelet sends its head with it. Use it in a `with` block.
        """
        params = {
            "container": container,
            "previous": "true" if previous else "",
            "follow": "true" if follow else "",
            "tailLines": "" if lines is None else str(lines),
            "sinceSeconds": "" if since_s is None else str(since_s),
            "sinceTime": since,
            "timestamps": "true" if stamps else "",
        }
        path = f"{self._path(pod)}/log"
        answer = self._transport.stream(path, {k: v for k, v in params.items() if v}, silence_s=silence_s)
        return LogStream(answer, f"GET {path}")

    def _path(self, which: Ref) -> str:
        resource = self.resource(which.api_version, which.kind)
        return resource.path((which.namespace or self.namespace) if resource.namespaced else "", which.name)
