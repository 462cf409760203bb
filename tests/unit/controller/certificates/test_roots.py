"""The interception root: renewal, shares of namespaces, servers' leaves; each decision both ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from speedscale_controller.certificates import Entropy, Pair, Reason, Verdict, bundles, issuing, roots
from speedscale_controller.certificates.model import CA_LIFE
from speedscale_controller.certificates.policies import renewal, signer
from speedscale_controller.certificates.roots import MARGIN, SWITCH, Root, Share
from speedscale_schemas import truststore, x509

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ENTROPY = Entropy()
NAMES = ("speedscale-forwarder.speedscale.svc",)
FIRST, _ = roots.renew(Root(), T0, ENTROPY)
DUE = renewal(FIRST.current.certificate)
BOTH, _ = roots.renew(FIRST, DUE, ENTROPY)
SHARE, _ = roots.share(Share(Pair(), {}), FIRST, "shop", T0, ENTROPY, None)
TOLD, _ = roots.share(SHARE, BOTH, "shop", DUE, ENTROPY, T0)


def test_a_first_root() -> None:
    assert FIRST.trusted == FIRST.current.certificate
    assert not FIRST.previous
    assert roots.renew(FIRST, T0, ENTROPY)[0] == FIRST


def test_the_old_root_stays_trusted_and_can_still_sign() -> None:
    assert BOTH.roots == (BOTH.current.certificate, FIRST.current.certificate)
    assert BOTH.previous == FIRST.current
    assert roots.renew(BOTH, DUE, ENTROPY) == (BOTH, roots.GOOD)


def test_a_lost_root_is_not_forgotten_by_those_who_trust_it() -> None:
    again, found = roots.renew(Root(), T0, ENTROPY, elsewhere=FIRST.trusted)
    assert found.reason is Reason.MISSING
    assert again.roots == (again.current.certificate, FIRST.current.certificate)


@pytest.mark.parametrize(("released", "now"), [(True, DUE), (False, T0 + CA_LIFE)])
def test_the_old_root_goes(released: bool, now: datetime) -> None:
    left, found = roots.renew(BOTH, now, ENTROPY, released=released)
    assert left == Root(BOTH.current, Pair(), BOTH.current.certificate)
    assert found.reason is Reason.CHANGED


def test_no_more_roots_than_a_bundle_takes() -> None:
    root, now = FIRST, T0
    for _ in range(6):
        root, _ = roots.renew(replace(root, current=Pair()), now, ENTROPY)
    assert len(root.roots) == bundles.MAX


def test_a_namespace_keeps_its_authority_while_the_root_stays() -> None:
    for now in (T0, T0 + 200 * DAY, DUE):
        assert roots.share(SHARE, FIRST, "shop", now, ENTROPY, T0) == (SHARE, roots.GOOD)


@pytest.mark.parametrize(
    ("oldest", "now", "verdict"),
    [
        (T0, DUE + DAY, Verdict.KEEP),
        (DUE + MARGIN, DUE + DAY, Verdict.KEEP),
        (DUE + MARGIN + SECOND, DUE + DAY, Verdict.RENEW),
        (None, DUE + DAY, Verdict.RENEW),
        (T0, T0 + CA_LIFE - SWITCH - SECOND, Verdict.KEEP),
        (T0, T0 + CA_LIFE - SWITCH, Verdict.RENEW),
        (T0, T0 + CA_LIFE, Verdict.ISSUE),
    ],
)
def test_a_namespace_goes_to_the_new_root_when_its_pods_trust_it(
    oldest: datetime | None, now: datetime, verdict: Verdict
) -> None:
    share, found = roots.share(TOLD, BOTH, "shop", now, ENTROPY, oldest)
    assert found.verdict is verdict
    assert roots.current(share.pair, BOTH) is (verdict is not Verdict.KEEP)


def test_it_is_told_of_a_new_root_before_it_goes_to_it() -> None:
    share, found = roots.share(SHARE, BOTH, "shop", DUE, ENTROPY, None)
    assert share.pair == SHARE.pair
    assert found.verdict is Verdict.KEEP
    assert share.since[bundles.digest(BOTH.roots[0])] == DUE
    assert roots.ordered(share.pair, BOTH)[0] == FIRST.current.certificate


@pytest.mark.parametrize(("switched", "by"), [(False, FIRST), (True, BOTH)])
def test_servers_show_what_every_client_trusts(switched: bool, by: Root) -> None:
    has, _ = roots.server(Pair(), FIRST, NAMES, DUE - DAY, ENTROPY, switched=True)
    pair, _ = roots.server(has, BOTH, NAMES, DUE, ENTROPY, switched=switched)
    assert signer(pair.certificate, [by.current.certificate]) is not None
    assert (pair == has) is not switched
    assert roots.server(pair, BOTH, NAMES, DUE, ENTROPY, switched=False)[0] == pair


def test_servers_do_not_stay_with_a_root_that_ends() -> None:
    late = T0 + CA_LIFE - SWITCH
    pair, _ = roots.server(Pair(), BOTH, NAMES, late, ENTROPY, switched=False)
    assert signer(pair.certificate, [BOTH.current.certificate]) is not None


def test_a_given_root_is_never_renewed() -> None:
    pair = FIRST.current
    root, found = roots.given(pair, pair.certificate, DUE, elsewhere=BOTH.current.certificate)
    assert found.good
    assert root.roots == (pair.certificate, BOTH.current.certificate)
    assert roots.given(pair, b"", T0 + CA_LIFE)[1].reason is Reason.EXPIRED
    assert roots.given(Pair(), b"", T0)[1].reason is Reason.MISSING


def test_trust_keeps_the_public_roots_and_java_reads_the_same_bytes_each_time() -> None:
    public = b"".join(issuing.authority(f"Public {n}", T0, ENTROPY).certificate for n in range(3))
    joined = bundles.trust(BOTH.roots, public)
    assert truststore.split_pem(joined) == [*BOTH.roots, *truststore.split_pem(public)]
    store = bundles.java(BOTH.roots, public)
    assert store == bundles.java(BOTH.roots, public)
    assert store.count(b"X.509") == 5
    theirs = (issuing.authority("Company", T0, ENTROPY).certificate,)
    assert truststore.split_pem(bundles.trust(BOTH.roots, public, theirs))[2] == theirs[0]
    assert bundles.java(BOTH.roots, public, theirs).count(b"X.509") == 6
    assert x509.summary(BOTH.roots[0]).is_ca


def test_bundles_leave_out_what_is_no_living_authority() -> None:
    leaf = issuing.leaf(FIRST.current, NAMES, T0, ENTROPY).certificate
    broken = FIRST.trusted.replace(b"MII", b"!!!", 1)
    assert bundles.authorities(FIRST.trusted, leaf, broken, FIRST.trusted, now=T0) == FIRST.roots
    assert bundles.authorities(FIRST.trusted, now=T0 + CA_LIFE) == ()
