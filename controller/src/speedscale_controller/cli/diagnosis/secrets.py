"""Checks of certificates: when they end, and copies that are left over from an earlier authority.

Only certificates are looked at; a private key is never taken out of its Secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from speedscale_controller.certificates.names import BACKEND, CA, CERTIFICATE, CERTS, FORWARDER, OWN, WEBHOOK
from speedscale_controller.cli.objects import title
from speedscale_controller.injection import mapping

from .model import Check, Facts, Object, Result, fail, ok, warn

_KEYS = (CERTIFICATE, CA)
_LATE = 0.8
"""The operator renews at two thirds of a certificate's life; beyond this part of it, it should have."""


def certificates(secret: Object) -> Iterator[tuple[str, x509.Certificate]]:
    """Yield the key and each certificate of a Secret; what is none is left out."""
    data = mapping(secret.get("data"))
    for key in _KEYS:
        try:
            found = x509.load_pem_x509_certificates(base64.b64decode(str(data.get(key) or ""), validate=True))
        except (binascii.Error, ValueError):
            continue
        yield from ((key, one) for one in found)


def leaf(secret: Object | None) -> x509.Certificate | None:
    """Return the first certificate of a Secret's pair, None without one."""
    return next((one for key, one in certificates(secret or {}) if key == CERTIFICATE), None)


def expiry(facts: Facts) -> Result:
    """Ask whether a certificate has ended, or should have been renewed."""
    over, late, count = [], [], 0
    for secret in facts.all("secrets"):
        if secret["metadata"].get("name") not in (WEBHOOK, CERTS, OWN, FORWARDER, BACKEND):
            continue
        for key, one in certificates(secret):
            if key == CA and one.issuer == one.subject and _another_holds(secret, one, facts.now):
                continue  # an old root beside the current one ends by itself
            count += 1
            line = f"{title(secret)}, {key}: ends {one.not_valid_after_utc:%F %T} UTC"
            if one.not_valid_after_utc <= facts.now:
                over.append(line)
            elif facts.now > _late(one) and key == CERTIFICATE:
                late.append(line)
    if over:
        return fail(
            "certificates have ended", "a running operator renews them; others (cert-manager, manual) are yours", over
        )
    if late:
        return warn(
            "certificates should have been renewed by now", "look at operator-running, or at who makes them", late
        )
    return ok(f"{count} certificates hold" if count else "there are no certificates yet")


def _late(one: x509.Certificate) -> datetime:
    life: timedelta = one.not_valid_after_utc - one.not_valid_before_utc
    return one.not_valid_before_utc + life * _LATE


def _another_holds(secret: Object, one: x509.Certificate, now: datetime) -> bool:
    return any(other != one and key == CA and other.not_valid_after_utc > now for key, other in certificates(secret))


def copies(facts: Facts) -> Result:
    """Ask whether namespaces have authorities that the installation's root has not signed."""
    root = leaf(next((s for s in _named(facts, CERTS) if _place(s) == facts.namespace), None))
    others = [secret for secret in _named(facts, CERTS) if _place(secret) != facts.namespace]
    if root is None:
        return ok("there is no root for interception yet")
    foreign = []
    for secret in others:
        one = leaf(secret)
        roots = [cert for key, cert in certificates(secret) if key == CA]
        if one is None or not any(_signed(one, by) for by in (root, *roots)):
            foreign.append(f"{title(secret)}: made by {one.issuer.rfc4514_string() if one else 'nobody'}")
        elif root not in roots:
            foreign.append(f"{title(secret)}: does not trust the current root")
    if foreign:
        return warn(
            "namespaces have certificates of an earlier installation, which the current one does not know",
            "a running operator mends those it made; delete the others and restart the workloads that mount them",
            foreign,
        )
    return ok(f"{len(others)} namespaces have certificates of this installation")


def _signed(one: x509.Certificate, by: x509.Certificate) -> bool:
    return one.issuer == by.subject


def _named(facts: Facts, name: str) -> list[Object]:
    return [secret for secret in facts.all("secrets") if secret["metadata"].get("name") == name]


def _place(secret: Object) -> str:
    return str(secret["metadata"].get("namespace", ""))


CHECKS = (
    Check("certificates", "certificates hold", expiry, ("secrets",)),
    Check("certificates-copies", "namespaces have certificates of this installation", copies, ("secrets",)),
)
