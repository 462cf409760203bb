"""The life of the webhooks' certificates, one step at a time.

Who calls the webhooks (API servers) trusts the CA bundle of the webhook configurations; who serves them (each replica)
takes the leaf from the Secret some time after it was written. None of them changes at the moment we write, so a new CA
comes in this order, and each step waits until the last one has arrived everywhere:

    1. the new CA, in the Secret           bundle: new + old    leaf: old's
    2. the bundle, in the configurations   trusted: new + old
    3. (settled) a leaf of the new CA                           leaf: new's
    4. (all replicas show it, or every old leaf has ended) the old CA goes from the bundle
    5. the bundle, in the configurations   trusted: new

`step` looks at what is there and says what comes next; the state is in the Secret alone, so whoever is killed after any
write, or finds the Secret deleted or edited, goes on from there. At no moment does a client that has a published bundle
meet a leaf that it rejects. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from speedscale_schemas import truststore, x509

from . import bundles, issuing
from .issuing import Entropy
from .model import LEAF_LIFE, NOTHING, Case, Finding, Pair, Reason, Verdict
from .names import Certificate
from .policies import inspect, renewal, signer

SETTLE = timedelta(seconds=30)
"""How long API servers may take to see a webhook configuration, and replicas to see the Secret."""
_LOOK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Published:
    """Which bundle every webhook configuration has, and since when."""

    digest: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.digest} {self.at.strftime('%Y-%m-%dT%H:%M:%SZ')}"

    @staticmethod
    def read(text: str) -> Published | None:
        """Return what an annotation says, None when it says nothing that can be understood."""
        digest, _, moment = text.partition(" ")
        try:
            at = datetime.fromisoformat(moment)
        except ValueError:
            return None
        return Published(digest, at if at.tzinfo else at.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class State:
    """What the Secret holds."""

    authority: Pair = NOTHING
    leaf: Pair = NOTHING
    bundle: bytes = b""
    published: Published | None = None


@dataclass(frozen=True, slots=True)
class Consumer:
    """One webhook configuration: the bundle that it has, and whether it is ours to write."""

    bundle: bytes
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """The world around the Secret. `shown`: what each replica shows to a client, None when not all could be asked."""

    consumers: tuple[Consumer, ...] = ()
    shown: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Write this into the Secret; `certificate` was issued, or None."""

    state: State
    finding: Finding
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """Write this bundle into the configurations that lack it."""

    bundle: bytes


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until then, unless something changes."""

    until: datetime


Step = Write | Publish | Rest


def step(state: State, seen: Seen, now: datetime, names: Sequence[str], entropy: Entropy) -> Step:
    """Return what comes next."""
    found = inspect(Case(state.authority, now, authority=True))
    if found.verdict is Verdict.ISSUE or (found.verdict is Verdict.RENEW and _all_writable(seen)):
        return _new_authority(state, seen, now, entropy, found)
    bundle = _wanted(state, seen, now)
    if bundle != state.bundle:
        message = "the CA bundle in the Secret was changed, or a CA in it ended"
        return Write(replace(state, bundle=bundle), Finding(Reason.CHANGED, message, Verdict.ISSUE))
    if any(c.writable and c.bundle != bundle for c in seen.consumers):
        return Publish(bundle)
    everywhere = all(trusts(c.bundle, state.authority.certificate) for c in seen.consumers)
    if everywhere and not _noted(state, now):
        message = "every webhook configuration has the CA bundle"
        noted = Published(bundles.digest(bundle), now.replace(microsecond=0))
        return Write(replace(state, published=noted), Finding(Reason.CHANGED, message, Verdict.KEEP))
    return _leaf(state, seen, now, names, entropy) or _drop(state, seen, now) or Rest(_until(state, now))


def trusts(bundle: bytes, authority: bytes) -> bool:
    """Say whether a bundle holds this CA."""
    wanted = x509.summary(authority).sha256
    return any(_sha256(pem) == wanted for pem in truststore.split_pem(bundle))


def _new_authority(state: State, seen: Seen, now: datetime, entropy: Entropy, found: Finding) -> Write:
    """Make a CA; what clients trust now, and is ours, stays trusted."""
    new = issuing.authority(issuing.WEBHOOK_CA, now, entropy)
    published = [pem for consumer in seen.consumers for pem in _ours(consumer.bundle)]
    trusted = bundles.authorities(new.certificate, state.authority.certificate, state.bundle, *published, now=now)
    changed = replace(state, authority=new, bundle=bundles.joined(trusted), published=None)
    return Write(changed, found, Certificate.WEBHOOK_CA)


def _wanted(state: State, seen: Seen, now: datetime) -> bytes:
    """Return the bundle as it should be: our CA first, then those of before that have not ended.

    Where somebody took the leaf's CA out of the Secret, it is found again in what was published.
    """
    known = bundles.authorities(state.authority.certificate, state.bundle, now=now)
    lost: list[bytes] = []
    if state.leaf and _signer(state.leaf, known) is None:
        there = [pem for consumer in seen.consumers for pem in _ours(consumer.bundle)]
        found = _signer(state.leaf, there)
        lost = [found] if found is not None else []
    return bundles.joined(bundles.authorities(state.authority.certificate, *lost, state.bundle, now=now))


def _leaf(state: State, seen: Seen, now: datetime, names: Sequence[str], entropy: Entropy) -> Step | None:
    trusted = truststore.split_pem(state.bundle)
    found = inspect(Case(state.leaf, now, tuple(names), tuple(trusted), latest=_end(state.authority)))
    if found.verdict is not Verdict.ISSUE and signer(state.leaf.certificate, trusted[:1]) is None:
        message = "its CA is being replaced"
        found = Finding(Reason.ROOT_CHANGED, message, Verdict.RENEW)
    if found.good:
        return None
    settled = _settled(state, now)
    nobody_else = len(trusted) == 1 or found.reason is Reason.EXPIRED
    if settled is None and found.verdict is Verdict.RENEW and found.reason is Reason.ROOT_CHANGED:
        return None  # not everybody trusts our CA, and we cannot change that: the old leaf is better
    if settled is not None and now < settled and not nobody_else and found.reason is not Reason.DUE:
        return Rest(settled)
    leaf = issuing.leaf(state.authority, names, now, entropy)
    return Write(replace(state, leaf=leaf), found, Certificate.WEBHOOK)


def _drop(state: State, seen: Seen, now: datetime) -> Write | None:
    """Take the old CAs away when nobody can meet a leaf of theirs any more."""
    trusted = truststore.split_pem(state.bundle)
    if len(trusted) < 2 or state.published is None or signer(state.leaf.certificate, trusted[:1]) is None:
        return None
    since = issuing.issued(state.leaf.certificate)
    shown = seen.shown is not None and all(signer(pem, trusted[:1]) is not None for pem in seen.shown)
    if not (shown and now >= since + SETTLE) and now < _old_leaves_end(state.published):
        return None
    message = "no replica shows a certificate of the old CA any more"
    return Write(replace(state, bundle=trusted[0]), Finding(Reason.ROOT_CHANGED, message, Verdict.KEEP))


def _until(state: State, now: datetime) -> datetime:
    times = [renewal(state.authority.certificate), renewal(state.leaf.certificate)]
    if len(truststore.split_pem(state.bundle)) > 1:
        times.append(_old_leaves_end(state.published) if state.published else now + _LOOK)
        times.append(issuing.issued(state.leaf.certificate) + SETTLE)
    later = [moment for moment in times if moment > now]
    return min([*later, now + _LOOK])


def _old_leaves_end(published: Published) -> datetime:
    """Return when every leaf of an older CA has ended: after the publication there were no new ones."""
    return published.at + LEAF_LIFE + SETTLE


def _noted(state: State, now: datetime) -> bool:
    """Say whether it is noted since when everybody has this bundle; a time to come is a wrong clock's."""
    noted = state.published
    return noted is not None and noted.digest == bundles.digest(state.bundle) and noted.at <= now


def _settled(state: State, now: datetime) -> datetime | None:
    """Return from when on every API server trusts our CA; None when that cannot be said."""
    if state.published is None or not _noted(state, now):
        return None
    return state.published.at + SETTLE


def _all_writable(seen: Seen) -> bool:
    return all(consumer.writable for consumer in seen.consumers)


def _signer(leaf: Pair, issuers: Sequence[bytes]) -> bytes | None:
    try:
        return signer(leaf.certificate, issuers)
    except ValueError:
        return None


def _ours(bundle: bytes) -> list[bytes]:
    """Return the CAs in a published bundle that this project made, by their names."""
    return [pem for pem in truststore.split_pem(bundle) if issuing.WEBHOOK_CA in _subject(pem)]


def _subject(pem: bytes) -> str:
    try:
        return x509.summary(pem).subject
    except ValueError:
        return ""


def _sha256(pem: bytes) -> str:
    try:
        return x509.summary(pem).sha256
    except ValueError:
        return ""


def _end(authority: Pair) -> datetime:
    return x509.summary(authority.certificate).not_after
