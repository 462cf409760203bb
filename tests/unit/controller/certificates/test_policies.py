"""Each policy both ways, on a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from speedscale_controller.certificates import Case, Entropy, Pair, Reason, Verdict, inspect, issuing
from speedscale_controller.certificates.model import CA_LIFE, LEAF_LIFE, SKEW
from speedscale_controller.certificates.policies import hands_off, injector, maker, ownership, renewal
from speedscale_schemas import x509

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("speedscale-operator.speedscale.svc", "10.0.0.1")
ENTROPY = Entropy()
ROOT = issuing.authority(issuing.WEBHOOK_CA, T0, ENTROPY)
OTHER = issuing.authority(issuing.WEBHOOK_CA, T0, ENTROPY)
LEAF = issuing.leaf(ROOT, NAMES, T0, ENTROPY)
DAY = timedelta(days=1)


def case(pair: Pair = LEAF, now: datetime = T0, **more: object) -> Case:
    given: dict[str, object] = {"names": NAMES, "issuers": (ROOT.certificate,)}
    return Case(pair, now, **(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("looked_at", "reason", "verdict"),
    [
        (case(), Reason.GOOD, Verdict.KEEP),
        (case(Pair()), Reason.MISSING, Verdict.ISSUE),
        (case(Pair(LEAF.certificate)), Reason.MISSING, Verdict.ISSUE),
        (case(Pair(b"", LEAF.key)), Reason.MISSING, Verdict.ISSUE),
        (case(Pair(b"-----BEGIN", LEAF.key)), Reason.UNREADABLE, Verdict.ISSUE),
        (case(Pair(LEAF.certificate, b"-----BEGIN PRIVATE KEY-----\n")), Reason.UNREADABLE, Verdict.ISSUE),
        (case(Pair(LEAF.certificate, ROOT.key)), Reason.KEY_MISMATCH, Verdict.ISSUE),
        (case(authority=True), Reason.NOT_AN_AUTHORITY, Verdict.ISSUE),
        (case(ROOT, authority=True, names=(), issuers=()), Reason.GOOD, Verdict.KEEP),
        (case(names=("elsewhere.svc",)), Reason.WRONG_NAMES, Verdict.ISSUE),
        (case(names=()), Reason.GOOD, Verdict.KEEP),
        (case(issuers=(OTHER.certificate,)), Reason.WRONG_ISSUER, Verdict.ISSUE),
        (case(issuers=(OTHER.certificate, ROOT.certificate)), Reason.GOOD, Verdict.KEEP),
        (case(issuers=()), Reason.GOOD, Verdict.KEEP),
        (case(now=T0 - SKEW), Reason.GOOD, Verdict.KEEP),
        (case(now=T0 - SKEW - timedelta(seconds=1)), Reason.NOT_YET_VALID, Verdict.ISSUE),
        (case(now=renewal(LEAF.certificate) - timedelta(seconds=1)), Reason.GOOD, Verdict.KEEP),
        (case(now=renewal(LEAF.certificate)), Reason.DUE, Verdict.RENEW),
        (case(now=renewal(LEAF.certificate), latest=T0 + LEAF_LIFE), Reason.GOOD, Verdict.KEEP),
        (case(now=renewal(LEAF.certificate), latest=T0 + LEAF_LIFE + DAY), Reason.DUE, Verdict.RENEW),
        (case(now=T0 + LEAF_LIFE - timedelta(seconds=1)), Reason.DUE, Verdict.RENEW),
        (case(now=T0 + LEAF_LIFE), Reason.EXPIRED, Verdict.ISSUE),
        (case(now=T0 + LEAF_LIFE, latest=T0 + LEAF_LIFE), Reason.EXPIRED, Verdict.ISSUE),
    ],
)
def test_what_is_found(looked_at: Case, reason: Reason, verdict: Verdict) -> None:
    found = inspect(looked_at)
    assert (found.reason, found.verdict) == (reason, verdict)
    assert found.message
    assert not found.message.endswith(".")


def test_two_thirds() -> None:
    assert renewal(LEAF.certificate) == T0 - SKEW + (LEAF_LIFE + SKEW) * 2 / 3
    assert renewal(ROOT.certificate) == T0 - SKEW + (CA_LIFE + SKEW) * 2 / 3


def test_no_finding_tells_a_key() -> None:
    for pair in (Pair(LEAF.certificate, ROOT.key), Pair(LEAF.certificate, b"PRIVATE KEY secret")):
        assert "secret" not in inspect(case(pair)).message
        assert "PRIVATE KEY" not in repr(pair)


def ours(mark: str) -> bool:
    return mark == "us"


@pytest.mark.parametrize(
    ("metadata", "adopt", "reason"),
    [
        (None, False, None),
        ({}, True, None),
        ({}, False, Reason.SOMEONE_ELSES),
        ({"annotations": {"operator.speedscale.com/managed-by": "us"}}, False, None),
        ({"annotations": {"operator.speedscale.com/managed-by": "them"}}, True, Reason.OTHER_INSTANCE),
        ({"annotations": {"operator.speedscale.com/managed-by": ""}}, True, Reason.OTHER_INSTANCE),
        ({"annotations": {"cert-manager.io/certificate-name": "x"}}, True, Reason.SOMEONE_ELSES),
        (
            {"annotations": {"cert-manager.io/issuer-name": "x", "operator.speedscale.com/managed-by": "us"}},
            True,
            Reason.SOMEONE_ELSES,
        ),
        ({"ownerReferences": [{"kind": "ExternalSecret", "name": "x"}]}, True, Reason.SOMEONE_ELSES),
        ({"annotations": {"meta.helm.sh/release-name": "speedscale-operator"}}, True, None),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, True, None),
    ],
)
def test_whose_it_is(metadata: dict[str, object] | None, adopt: bool, reason: Reason | None) -> None:
    found = ownership(metadata, ours, adopt=adopt)
    assert (found.reason if found else None) is reason
    assert found is None or found.verdict is Verdict.LEAVE


def test_who_makes_it_is_named() -> None:
    assert maker({"ownerReferences": [{"kind": "ExternalSecret", "name": "login"}]}) == "ExternalSecret login"
    assert maker({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}) == "Argo CD"
    assert maker({"annotations": None}) == ""
    assert injector({"annotations": {"cert-manager.io/inject-ca-from": "ns/x"}}) == "cert-manager.io/inject-ca-from"
    assert injector({"annotations": {"cert-manager.io/inject-ca-from": ""}}) == ""


def test_of_somebody_elses_only_is_told() -> None:
    found = hands_off(inspect(case(now=T0 + LEAF_LIFE)), "cert-manager")
    assert found.verdict is Verdict.LEAVE
    assert "cert-manager" in found.message
    assert hands_off(inspect(case()), "cert-manager").good


def test_constraints_of_what_is_issued() -> None:
    middle = issuing.intermediate(ROOT, "x" * 63, T0, ENTROPY)
    with pytest.raises(ValueError, match="leaves only"):
        issuing.intermediate(middle, "y", T0, ENTROPY)
    facts = x509.summary(middle.certificate)
    assert facts.not_after == x509.summary(ROOT.certificate).not_after
    assert facts.is_ca
    leaf = x509.Issuer(middle.certificate, middle.key).leaf(
        ["any.host.example", "192.0.2.1"], LEAF.key, x509.Validity(T0, T0 + DAY), 1
    )
    assert not x509.check(leaf, T0, issuer=middle.certificate, names=["any.host.example"])
    assert x509.summary(ROOT.certificate).subject != x509.summary(OTHER.certificate).subject


def test_a_leaf_ends_with_its_issuer() -> None:
    late = T0 + CA_LIFE - DAY
    assert x509.summary(issuing.leaf(ROOT, NAMES, late, ENTROPY).certificate).not_after == T0 + CA_LIFE
