"""The interception root's life, and what namespaces and servers get of it.

Three things trust or use the root, and all read it once, when their pod starts: applications (`ca-bundle.crt`), senders
(`ca.crt`), and sidecars that mint certificates under the namespace's CA (`tls.crt`, `tls.key`). So a new root comes in
this order, namespace by namespace:

    1. new and old root in `ca.crt` and `ca-bundle.crt`       the namespace's CA is still the old root's
    2. every pod is younger than 1                            a CA of the new root for the namespace
    3. all namespaces are there                               leaves of forwarder and backend by the new root
    4. every pod is younger than 2                            the old root goes

Pods that keep 2 or 4 waiting are listed for the user. `SWITCH` before the old root ends, nobody is waited for any more.
Pure; how old pods are is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from speedscale_schemas import truststore, x509

from . import bundles, issuing
from .issuing import Entropy
from .model import GOOD, NOTHING, Case, Finding, Pair, Reason, Verdict
from .policies import inspect, signer

SWITCH = timedelta(days=30)
MARGIN = timedelta(minutes=1)
"""A pod counts as younger than a Secret only when it was made so much later."""


@dataclass(frozen=True, slots=True)
class Root:
    """What the root's Secret holds. `trusted` is `ca.crt`: the roots that everybody trusts."""

    current: Pair = NOTHING
    previous: Pair = NOTHING
    trusted: bytes = b""

    @property
    def roots(self) -> tuple[bytes, ...]:
        """The roots, the current one first."""
        return tuple(truststore.split_pem(self.trusted))


@dataclass(frozen=True, slots=True)
class Share:
    """What a namespace has: its CA, and since when each root (by digest) stands in its Secret."""

    pair: Pair
    since: Mapping[str, datetime]


def renew(
    root: Root, now: datetime, entropy: Entropy, *, elsewhere: bytes = b"", released: bool = False
) -> tuple[Root, Finding]:
    """Return the root as it should be, and why; an unchanged one when all is well.

    `elsewhere`: `ca.crt` of our own namespace's senders, where the old root is found when the Secret was lost.
    `released`: nobody holds the old root any more.
    """
    found = inspect(Case(root.current, now, authority=True))
    if found.verdict is not Verdict.ISSUE and not issuing.self_signed(root.current.certificate):
        found = Finding(Reason.NOT_AN_AUTHORITY, "a CA, but no root", Verdict.ISSUE)
    if found.verdict in (Verdict.ISSUE, Verdict.RENEW):
        new = issuing.authority(issuing.ROOT, now, entropy)
        trusted = bundles.authorities(new.certificate, root.current.certificate, root.trusted, elsewhere, now=now)
        previous = root.current if found.verdict is Verdict.RENEW else NOTHING
        return Root(new, previous, bundles.joined(trusted)), found
    old = b"" if released else root.trusted
    trusted = bundles.authorities(root.current.certificate, old, now=now)
    previous = NOTHING if released or not usable(root.previous, now) else root.previous
    kept = replace(root, trusted=bundles.joined(trusted), previous=previous)
    if kept == root:
        return root, GOOD
    return kept, Finding(Reason.CHANGED, "an old root left, or somebody changed the bundle", Verdict.ISSUE)


def given(pair: Pair, authority: bytes, now: datetime, *, elsewhere: bytes = b"") -> tuple[Root, Finding]:
    """Return a root that somebody else makes (`authority` is its `ca.crt`), and what is the matter with it.

    It may be an intermediate of a user's own authority. Roots of before, from `elsewhere`, stay trusted until they end.
    """
    found = inspect(Case(pair, now, authority=True, latest=now))
    own = [*truststore.split_pem(authority), *reversed(truststore.split_pem(pair.certificate))]
    trusted = bundles.authorities(*own[:1], elsewhere, now=now) if found.good else ()
    return Root(pair, NOTHING, bundles.joined(trusted)), found


def share(
    has: Share, root: Root, namespace: str, now: datetime, entropy: Entropy, oldest_pod: datetime | None
) -> tuple[Share, Finding]:
    """Return what a namespace should have. `oldest_pod`: when the oldest of its pods that use it was made.

    ValueError when the root may not sign a CA.
    """
    since = {bundles.digest(pem): has.since.get(bundles.digest(pem), now.replace(microsecond=0)) for pem in root.roots}
    found = inspect(Case(has.pair, now, authority=True, issuers=_issuers(root), latest=_end(root.current.certificate)))
    if found.verdict is not Verdict.ISSUE and signer(has.pair.certificate, _top(root)) is None:
        found = _switch(has, root, now, oldest_pod)
    if found.verdict not in (Verdict.ISSUE, Verdict.RENEW):
        return Share(has.pair, since), found
    return Share(issuing.intermediate(root.current, namespace, now, entropy), since), found


def _switch(has: Share, root: Root, now: datetime, oldest_pod: datetime | None) -> Finding:
    """Return whether a namespace goes from an old root to the current one."""
    since = has.since.get(bundles.digest(root.roots[0]))
    old = signer(has.pair.certificate, root.roots[1:])
    end = _end(old) if old is not None else now
    if since is not None and (oldest_pod is None or oldest_pod > since + MARGIN):
        return Finding(Reason.ROOT_CHANGED, "there is a new root, and every pod trusts it", Verdict.RENEW)
    if now >= end - SWITCH:
        return Finding(Reason.ROOT_CHANGED, "there is a new root, and the old one ends soon", Verdict.RENEW)
    return Finding(Reason.ROOT_CHANGED, "there is a new root, which not every pod trusts yet", Verdict.KEEP)


def current(pair: Pair, root: Root) -> bool:
    """Say whether a namespace's CA is the current root's."""
    try:
        return bool(pair) and signer(pair.certificate, _top(root)) is not None
    except ValueError:
        return False


def server(
    has: Pair, root: Root, names: Sequence[str], now: datetime, entropy: Entropy, *, switched: bool
) -> tuple[Pair, Finding]:
    """Return the certificate of a server of ours; `switched`: all its clients trust the current root."""
    old_rules = not switched and usable(root.previous, now + SWITCH)
    by = root.previous if old_rules else root.current
    found = inspect(Case(has, now, tuple(names), _issuers(root), latest=_end(by.certificate)))
    moved = not old_rules and switched and found.verdict is not Verdict.ISSUE
    if moved and signer(has.certificate, _top(root)) is None:
        found = Finding(Reason.ROOT_CHANGED, "there is a new root, and every client trusts it", Verdict.RENEW)
    if found.good:
        return has, found
    return issuing.leaf(by, names, now, entropy), found


def ordered(pair: Pair, root: Root) -> tuple[bytes, ...]:
    """Return the roots with that of a namespace's CA first: who reads only one reads the right one."""
    first = signer(pair.certificate, root.roots)
    return root.roots if first is None else (first, *(pem for pem in root.roots if pem != first))


def usable(pair: Pair, now: datetime) -> bool:
    """Say whether a CA can sign at this time."""
    return bool(pair) and inspect(Case(pair, now, authority=True, latest=now)).good


def _issuers(root: Root) -> tuple[bytes, ...]:
    return (*_top(root), *root.roots)


def _top(root: Root) -> tuple[bytes, ...]:
    """Return the certificate that signs now, alone."""
    return tuple(truststore.split_pem(root.current.certificate)[:1])


def _end(certificate: bytes) -> datetime:
    return x509.summary(certificate).not_after
