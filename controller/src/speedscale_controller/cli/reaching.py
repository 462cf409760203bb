"""How a verb reaches a cluster: its flags, the client, and what an error of the cluster means for the exit code.

Used by every verb here. The client library is imported when a verb runs, never for its help.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .printing import fail

if TYPE_CHECKING:
    from speedscale_kube import Client

MANAGER = "speedctl"
"""Field manager of what these verbs write."""
_PATIENCE_S = 30.0
_RETRIES = 3


def add_cluster_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says which cluster is meant."""
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")


def add_namespace_flag(parser: argparse.ArgumentParser, what: str = "default: the context's") -> None:
    """Add `-n NAMESPACE`."""
    parser.add_argument("-n", "--namespace", metavar="NAMESPACE", default="", help=what)


def add_installation_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag for where the operator is, which is needed only where there are several."""
    parser.add_argument(
        "--operator-namespace",
        metavar="NAMESPACE",
        default="",
        help="where the operator is installed (default: wherever one is found)",
    )


def connect(args: argparse.Namespace) -> Client:
    """Return a client; ConfigError when no cluster is named."""
    from speedscale_kube import Client, load

    client = Client(load(args.kubeconfig, args.context), agent="speedctl", retries=_RETRIES)
    return client.patient(_PATIENCE_S)


def with_cluster(args: argparse.Namespace, act: Callable[[Client], int]) -> int:
    """Return what `act` returns for the cluster; 2, with the error told, when cluster or input do not allow it."""
    try:
        with connect(args) as client:
            return act(client)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    except PermanentError as error:
        return fail(str(error), _REMEDIES.get(error.reason, ""))
    except (TransientError, PeerError) as error:
        return fail(f"the cluster gives no usable answer: {error}", "speedctl doctor says more about the installation")


_REMEDIES = {
    "Forbidden": "your user lacks this right; ask for it, or use another --context",
    "Unauthorized": "the credentials are not accepted; log in again, or use another --context",
    "UnknownKind": "is the installation complete? speedctl doctor says what is missing",
}
