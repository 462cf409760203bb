"""Policies: each asks one question of a certificate and answers with a finding, or not at all.

`inspect` asks them in order and returns the first answer, so a later policy may take for granted what an earlier one
made sure of: who asks about names knows that the certificate can be read. Pure; `now` is in the case. The chain of
questions is cert-manager's idea (trigger policies).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from speedscale_schemas import x509

from .model import GOOD, Case, Finding, Reason, Verdict
from .names import MANAGED_BY

Policy = Callable[[Case], Finding | None]
_SOON = timedelta(hours=1)

_INJECTORS = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "service.beta.openshift.io/inject-cabundle",
)
_MAKERS = {
    "cert-manager.io/certificate-name": "cert-manager",
    "cert-manager.io/issuer-name": "cert-manager",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "reconcile.external-secrets.io/data-hash": "External Secrets",
    "sealedsecrets.bitnami.com/cluster-wide": "Sealed Secrets",
}


def inspect(case: Case) -> Finding:
    """Return what is the matter with a pair, `GOOD` when nothing is."""
    for policy in POLICIES:
        found = policy(case)
        if found is not None:
            return found
    return GOOD


def missing(case: Case) -> Finding | None:
    """There is no certificate, or no key."""
    if case.pair:
        return None
    what = "certificate" if not case.pair.certificate else "private key"
    return Finding(Reason.MISSING, f"there is no {what}", Verdict.ISSUE)


def unreadable(case: Case) -> Finding | None:
    """Certificate or key is no PEM, or of a kind that is not supported."""
    try:
        x509.summary(case.pair.certificate)
        x509.public_key(case.pair.key)
    except ValueError as error:
        return Finding(Reason.UNREADABLE, str(error), Verdict.ISSUE)
    return None


def key_mismatch(case: Case) -> Finding | None:
    """The key is another certificate's."""
    problems = x509.check(case.pair.certificate, _start(case), key=case.pair.key)
    return Finding(Reason.KEY_MISMATCH, _about(case, problems), Verdict.ISSUE) if problems else None


def not_an_authority(case: Case) -> Finding | None:
    """It should sign others and may not."""
    if not case.authority or x509.summary(case.pair.certificate).is_ca:
        return None
    return Finding(Reason.NOT_AN_AUTHORITY, "not a CA (basic constraints)", Verdict.ISSUE)


def wrong_names(case: Case) -> Finding | None:
    """It is not valid for a name that clients use."""
    problems = x509.check(case.pair.certificate, _start(case), names=case.names)
    return Finding(Reason.WRONG_NAMES, _about(case, problems), Verdict.ISSUE) if problems else None


def wrong_issuer(case: Case) -> Finding | None:
    """None of the CAs that clients trust has signed it."""
    if not case.issuers or signer(case.pair.certificate, case.issuers) is not None:
        return None
    issuer = x509.summary(case.pair.certificate).issuer
    return Finding(Reason.WRONG_ISSUER, f"signed by {issuer!r}, which clients do not trust", Verdict.ISSUE)


def not_yet_valid(case: Case) -> Finding | None:
    """It begins in the future: the clock of who made it was wrong, or ours is."""
    start = _start(case)
    if start <= case.now:
        return None
    return Finding(Reason.NOT_YET_VALID, f"not valid before {_iso(start)}; check the node's clock", Verdict.ISSUE)


def expired(case: Case) -> Finding | None:
    """Its time is over."""
    end = x509.summary(case.pair.certificate).not_after
    return Finding(Reason.EXPIRED, f"expired at {_iso(end)}", Verdict.ISSUE) if end <= case.now else None


def due(case: Case) -> Finding | None:
    """Two thirds of its life are over, and a new one would live longer."""
    when = renewal(case.pair.certificate)
    if case.now < when:
        return None
    facts = x509.summary(case.pair.certificate)
    if case.latest is not None and case.latest <= facts.not_after + _SOON:
        return None
    message = f"two thirds of its life were over at {_iso(when)}; it ends at {_iso(facts.not_after)}"
    return Finding(Reason.DUE, message, Verdict.RENEW)


POLICIES: tuple[Policy, ...] = (
    missing,
    unreadable,
    key_mismatch,
    not_an_authority,
    wrong_names,
    wrong_issuer,
    not_yet_valid,
    expired,
    due,
)


def renewal(certificate: bytes) -> datetime:
    """Return when two thirds of a certificate's life are over."""
    facts = x509.summary(certificate)
    return facts.not_before + (facts.not_after - facts.not_before) * 2 / 3


def signer(certificate: bytes, issuers: Sequence[bytes]) -> bytes | None:
    """Return which of these CAs (PEM) signed a certificate, None when none did."""
    for issuer in issuers:
        if not x509.check(certificate, x509.summary(certificate).not_before, issuer=issuer):
            return issuer
    return None


def maker(metadata: Mapping[str, object]) -> str:
    """Return who, other than an operator of ours, keeps this object; empty when nobody says so.

    An owner reference or the mark of a known tool counts. What an earlier Helm release left does not: nobody keeps it.
    """
    for owner in _list(metadata.get("ownerReferences")):
        if isinstance(owner, Mapping):
            return f"{owner.get('kind')} {owner.get('name')}"
    annotations = _mapping(metadata.get("annotations"))
    return next((who for mark, who in _MAKERS.items() if mark in annotations), "")


def injector(metadata: Mapping[str, object]) -> str:
    """Return the annotation by which somebody else writes the CA bundle of a webhook configuration, or nothing."""
    annotations = _mapping(metadata.get("annotations"))
    return next((mark for mark in _INJECTORS if annotations.get(mark)), "")


def ownership(metadata: Mapping[str, object] | None, ours: Callable[[str], bool], *, adopt: bool) -> Finding | None:
    """Return why an object must be left alone, None when it may be written (or is not there).

    `ours` says whether an INSTANCE_ID is one of this installation. `adopt`: an object without any mark is what an
    earlier installation left behind, and is mended; else it is a user's.
    """
    if metadata is None:
        return None
    who = maker(metadata)
    if who:
        return Finding(Reason.SOMEONE_ELSES, f"made by {who}: it is not touched", Verdict.LEAVE)
    mark = _mapping(metadata.get("annotations")).get(MANAGED_BY)
    if mark is None:
        if adopt:
            return None
        return Finding(Reason.SOMEONE_ELSES, "made by hand: it is not touched", Verdict.LEAVE)
    if ours(str(mark)):
        return None
    message = f"made by the operator with INSTANCE_ID {mark!r}: it is not touched; delete it, if that one is gone"
    return Finding(Reason.OTHER_INSTANCE, message, Verdict.LEAVE)


def hands_off(found: Finding, who: str) -> Finding:
    """Return a finding about something of somebody else's: the same, but nothing is written."""
    if found.good:
        return found
    return Finding(found.reason, f"{found.message}; {who} makes it: renew it there", Verdict.LEAVE)


def _start(case: Case) -> datetime:
    """Return the first moment of its life, at which only the question asked can have a problem."""
    return x509.summary(case.pair.certificate).not_before


def _about(case: Case, problems: Sequence[str]) -> str:
    return f"{x509.summary(case.pair.certificate).subject or 'the certificate'}: {', '.join(problems)}"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
