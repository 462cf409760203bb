"""One table from what the cluster says to the reason that a caller is told. Pure.

What is in no row is a bug: told as `internal` without its text, logged with its trace by who runs the command.
"""

from __future__ import annotations

import re
from typing import Final

from speedscale_kube.errors import (
    ConflictError,
    ExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
)
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError
from speedscale_schemas.inspector import Reason, Refusal

# What an API server's authorizer says (apiserver, "forbiddenMessage").
_RIGHT: Final = re.compile(
    r'cannot (?P<verb>[a-z*]+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)'
)
_TABLE: Final[tuple[tuple[type[Exception], Reason], ...]] = (
    (NotFoundError, Reason.NOT_FOUND),
    (ExistsError, Reason.EXISTS),
    (InvalidError, Reason.REFUSED_BY_CLUSTER),
    (UnauthorizedError, Reason.CLUSTER_UNAVAILABLE),
    (ConflictError, Reason.CONFLICT),
    (TransientError, Reason.CLUSTER_UNAVAILABLE),
    (PeerError, Reason.CLUSTER_UNAVAILABLE),
    (PermanentError, Reason.REFUSED_BY_CLUSTER),
)


def refusal(error: Exception) -> Refusal | None:
    """Return what a caller is told of an error, None for one that nobody foresaw."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ConfigError):
        return Refusal(Reason.INVALID_ARGUMENTS, "; ".join(error.problems)[:4096])
    if isinstance(error, ForbiddenError):
        return forbidden(error)
    found = next((reason for kind, reason in _TABLE if isinstance(error, kind)), None)
    return Refusal(found, str(error)[:4096]) if found else None


def forbidden(error: ForbiddenError) -> Refusal:
    """Return the right that the account lacks; where admission or a quota said no, its words."""
    lacks = missing(error)
    if not lacks:
        return Refusal(Reason.REFUSED_BY_CLUSTER, str(error)[:4096])
    return Refusal(Reason.FORBIDDEN, f"the inspector's account {told(lacks)}; its rights are in docs/rbac.md", lacks)


def missing(error: ForbiddenError) -> dict[str, str]:
    """Return verb, group, resource and namespace of the right that is lacking; empty where it is no lack of rights."""
    found = _RIGHT.search(str(error))
    if not found:
        return {}
    return {key: found[key] or "" for key in ("verb", "group", "resource", "namespace")}


def told(lacks: dict[str, str]) -> str:
    """Return a lacking right as half a sentence: `may not patch deployments.apps in namespace shop`."""
    what = f"{lacks['resource']}.{lacks['group']}" if lacks["group"] else lacks["resource"]
    where = f"in namespace {lacks['namespace']}" if lacks["namespace"] else "in the whole cluster"
    return f"may not {lacks['verb']} {what} {where}"
