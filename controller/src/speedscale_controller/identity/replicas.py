"""What each replica shows to a client: its leaf, asked by a handshake like any other.

Asked only while an old webhook CA waits to be dropped. A replica that cannot be asked (a NetworkPolicy, a start) means
that nothing is known, and the old CA stays until its last leaf has ended.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from speedscale_kube import Client

TIMEOUT_S = 2.0
LIMIT = 20
_SELECTOR = "app=speedscale-operator,controlplane.speedscale.com/component=operator"
_ENDED = frozenset({"Succeeded", "Failed"})
Shown = tuple[bytes, ...] | None
Ask = Callable[[str, int], bytes]


def leaf_at(host: str, port: int) -> bytes:
    """Return the certificate (PEM) that a server shows; OSError when it does not answer with one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is looked at, not trusted
    with (
        socket.create_connection((host, port), timeout=TIMEOUT_S) as connection,
        context.wrap_socket(connection) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    if not shown:
        raise OSError(f"{host}:{port} shows no certificate")
    return ssl.DER_cert_to_PEM_cert(shown).encode("ascii")


def shown(client: Client, namespace: str, port: int, ask: Ask = leaf_at) -> Shown:
    """Return what every replica shows, None when one could not be asked, when there is none or too many."""
    pods = client.list("v1", "Pod", namespace, labels=_SELECTOR)
    running = [pod.get("status") or {} for pod in pods]
    addresses = [str(status.get("podIP", "")) for status in running if status.get("phase") not in _ENDED]
    if not addresses or not all(addresses) or len(addresses) > LIMIT:
        return None
    try:
        return tuple(ask(address, port) for address in addresses)
    except OSError:
        return None
