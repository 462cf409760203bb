"""`--via cloud`: the same actions through the backend's inspector, for people and CI without a kubeconfig.

How the backend is reached is not known here: a transport is found by its entry point (`speedscale_schemas.transports`).
Used by `infra` and `infra_cloud`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError
from speedscale_schemas.transports import GROUP, Transport

from .printing import fail

CLOUD = "cloud"
_REMEDIES = {
    "scope": "ask whoever administers the backend for a key with this scope",
    "access_labels": "ask whoever administers the backend for a key with these labels",
    "namespace_not_watched": "name one of these, or extend namespaceSelector and synthesise",
    "managed_by_gitops": "commit the change to its manifest, or use --force",
    "unauthenticated": "is SPEEDSCALE_API_KEY a key of this backend?",
}


def add_via_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says which way an action goes."""
    parser.add_argument(
        "--via",
        choices=("kubeconfig", CLOUD),
        default="kubeconfig",
        help="how the cluster is reached: with a kubeconfig, or through the backend (SPEEDSCALE_APP_URL, _API_KEY)",
    )
    parser.add_argument(
        "--cluster", metavar="NAME", default="", help="with --via cloud: which one (default: the only one connected)"
    )


@dataclass(frozen=True)
class Remote:
    """One cluster behind the backend."""

    transport: Transport
    cluster: str

    def each(self, command: str, arguments: Mapping[str, Any], *, timeout_s: float = 60.0) -> Iterator[dict[str, Any]]:
        """Yield the items of a command, last `{"result": …}`; PermanentError when it ends with an error."""
        for answer in self.transport.command(self.cluster, command, arguments, timeout_s=timeout_s):
            if answer["kind"] == "item":
                yield dict(answer["item"])
            elif answer["kind"] == "error":
                raise PermanentError(str(answer["reason"]), str(answer["message"]))
            else:
                yield {"result": dict(answer.get("result", {}))}
                return
        raise TransientError("the answer broke off", 0.0)

    def ask(
        self, command: str, arguments: Mapping[str, Any], *, timeout_s: float = 60.0
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the items of a command, and its result."""
        *items, last = self.each(command, arguments, timeout_s=timeout_s)
        return items, dict(last["result"])


def open_remote(args: argparse.Namespace, environ: Mapping[str, str] | None = None) -> Remote:
    """Return the cluster that is meant; ConfigError when nobody knows the way, or which."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if CLOUD not in found:
        raise ConfigError([f"--via {CLOUD}: nothing installed here can reach a backend; install speedscale-runtime"])
    for name in ("kubeconfig", "context", "operator_namespace"):
        if getattr(args, name, None):
            raise ConfigError([f"--{name.replace('_', '-')} means nothing with --via {CLOUD}"])
    transport: Transport = found[CLOUD].load()(os.environ if environ is None else environ)
    return Remote(transport, args.cluster or only(transport))


def only(transport: Transport) -> str:
    """Return the one cluster that is connected; ConfigError where there is none, or several."""
    there = [str(one["name"]) for one in transport.clusters() if one.get("connected")]
    if len(there) == 1:
        return there[0]
    if there:
        raise ConfigError([f"several clusters are connected: {', '.join(there)}; say which with --cluster"])
    raise ConfigError(["no cluster is connected to this backend; is its inspector running (dashboardAccess)?"])


def with_remote(args: argparse.Namespace, act: Callable[[Remote], int]) -> int:
    """Return what `act` returns; 2, with the error told, when backend, inspector or input do not allow it."""
    try:
        return act(open_remote(args))
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    except PermanentError as error:
        return fail(str(error), _REMEDIES.get(error.reason, ""))
    except (TransientError, PeerError) as error:
        return fail(f"the backend gives no usable answer: {error}")
