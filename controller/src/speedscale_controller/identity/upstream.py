"""The authorities of the user's own servers: ConfigMap `sidecar.extraRoots`, read anew at each look at a namespace.

Sidecars verify servers by them, and applications that are given our trust find them in it: their own trust store, which
had them, is not used then. Certificates are public, so a ConfigMap holds them and git may.

Never in the way: what cannot be read is left out and told; where the ConfigMap is gone, what a namespace has stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from speedscale_controller.certificates.names import UPSTREAM
from speedscale_controller.certificates.secret import Content
from speedscale_kube import Ref
from speedscale_schemas import truststore, x509

from .desk import Desk

MAX_BYTES = 100_000
"""Beside 700,000 bytes of public roots in a Secret of 1 MiB; some sixty authorities."""


class Upstream:
    """One for all namespaces; keeps nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def roots(self, content: Content) -> tuple[bytes, ...]:
        """Return the certificates, none where none are named; `content` is what the namespace's Secret has now."""
        ref = named(self._desk.own, self._desk.settings.sidecar_config)
        if ref is None:
            return ()
        live = self._desk.client.find(ref)
        if live is None:
            message = f"sidecar.extraRoots names ConfigMap {ref.name}, which is not there; what was trusted stays"
            self._desk.teller.tell(ref, "ExtraRootsMissing", message)
            return tuple(truststore.split_pem(content.data.get(UPSTREAM, b"")))
        found, wrong = read(live.get("data") or {}, self._desk.now())
        if wrong:
            self._desk.teller.tell(ref, "ExtraRootsNotGood", "; ".join(wrong))
        return found


def named(namespace: str, sidecar: Mapping[str, object]) -> Ref | None:
    """Return the ConfigMap that the sidecar's settings name, None when they name none."""
    name = str(sidecar.get("extraRoots") or "")
    return Ref("v1", "ConfigMap", namespace, name) if name else None


def read(data: Mapping[str, str], now: datetime) -> tuple[tuple[bytes, ...], list[str]]:
    """Return the certificates of a ConfigMap, each once, by key; and what is wrong with the rest, in words.

    Any certificate is taken that can be read and has not ended, self-signed ones of servers too.
    """
    found: dict[bytes, None] = {}
    wrong: list[str] = []
    size = 0
    for key, text in sorted(data.items()):
        pems = truststore.split_pem(text.encode())
        if not pems:
            wrong.append(f"key {key} has no PEM certificate")
        for number, pem in enumerate(pems, 1):
            if why := _refused(pem, now, MAX_BYTES - size):
                wrong.append(f"key {key}, certificate {number}: {why}")
            elif pem not in found:
                found[pem] = None
                size += len(pem)
    return tuple(found), wrong


def _refused(pem: bytes, now: datetime, room: int) -> str:
    """Return why a certificate is left out, nothing when it is not."""
    try:
        facts = x509.summary(pem)
    except ValueError as error:
        return f"cannot be read: {error}"
    if facts.not_after <= now:
        return f"ended on {facts.not_after:%Y-%m-%d}"
    return f"no room: all together may have {MAX_BYTES} bytes" if len(pem) > room else ""
