"""The ledger of tokens, the redaction key, and Secrets as content."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from speedscale_controller.certificates import Entropy, Reason, Verdict, dlp, secret, senders
from speedscale_controller.certificates.senders import KEPT, TOKEN_LIFE

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ENTROPY = Entropy()
SECOND = timedelta(seconds=1)
_DATELESS = b'{"namespaces": {"a": {"token": "' + b"x" * 43 + b'", "since": "nowhen"}}}'
ONE = senders.renew({}, ["shop", "pay", "shop"], T0, ENTROPY)


def test_a_token_a_namespace() -> None:
    assert sorted(ONE) == ["pay", "shop"]
    assert all(senders.well_formed(sender.token) for sender in ONE.values())
    assert len({sender.token for sender in ONE.values()}) == 2
    assert senders.accepted(ONE).decode().split() == sorted(sender.token for sender in ONE.values())


def test_the_ledger_reads_back_and_is_renewed_to_itself() -> None:
    assert senders.read(senders.write(ONE)) == ONE
    assert senders.renew(ONE, ONE, T0 + TOKEN_LIFE - SECOND, ENTROPY) == ONE


def test_tokens_are_in_no_text() -> None:
    assert ONE["shop"].token not in repr(ONE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"namespaces": []}',
        b'{"namespaces": {"a": 1}}',
        b'{"namespaces": {"a": {"token": "short"}}}',
    ],
)
def test_what_makes_no_sense_is_left_out(text: bytes) -> None:
    assert senders.read(text) == {}


def test_a_lost_ledger_keeps_the_tokens_that_senders_have() -> None:
    known = {name: sender.token for name, sender in ONE.items()}
    again = senders.renew({}, ONE, T0, ENTROPY, known=lambda name: known.get(name, ""))
    assert {name: sender.token for name, sender in again.items()} == known
    forged = senders.renew({}, ["shop"], T0, ENTROPY, known=lambda name: "short")
    assert forged["shop"].token != "short"


def test_a_namespace_that_is_gone_is_not_accepted() -> None:
    left = senders.renew(ONE, ["pay"], T0, ENTROPY)
    assert ONE["shop"].token.encode() not in senders.accepted(left)


@pytest.mark.parametrize(
    ("after", "oldest", "kept"),
    [
        (KEPT - SECOND, None, True),
        (KEPT, None, False),
        (KEPT, T0, True),
        (KEPT, T0 + TOKEN_LIFE + SECOND, False),
    ],
)
def test_an_old_token_is_accepted_until_its_pods_are_gone(
    after: timedelta, oldest: datetime | None, kept: bool
) -> None:
    late = T0 + TOKEN_LIFE
    renewed = senders.renew(ONE, ["shop"], late, ENTROPY)
    assert renewed["shop"].previous == ONE["shop"].token
    later = senders.renew(renewed, ["shop"], late + after, ENTROPY, oldest_pod=lambda name: oldest)
    assert (ONE["shop"].token.encode() in senders.accepted(later)) is kept
    assert renewed["shop"].token.encode() in senders.accepted(later)


@pytest.mark.parametrize(
    ("data", "reason", "verdict"),
    [
        (None, Reason.MISSING, Verdict.ISSUE),
        ({}, Reason.MISSING, Verdict.ISSUE),
        ({"k1": base64.b64encode(b"x" * 16)}, Reason.GOOD, Verdict.KEEP),
        ({"k1": base64.b64encode(b"x" * 32) + b"\n"}, Reason.GOOD, Verdict.KEEP),
        ({"k1": base64.b64encode(b"x" * 15)}, Reason.UNREADABLE, Verdict.LEAVE),
        ({"k1": base64.b64encode(b"x" * 16), "k2": b"?"}, Reason.UNREADABLE, Verdict.LEAVE),
    ],
)
def test_redaction_keys(data: dict[str, bytes] | None, reason: Reason, verdict: Verdict) -> None:
    found = dlp.inspect(data)
    assert (found.reason, found.verdict) == (reason, verdict)


def test_a_secret_is_the_same_as_what_was_built() -> None:
    built = secret.build("n", "ns", "me", {"a": b"1"}, annotations={"x": "y"})
    assert secret.same(built, built)
    assert secret.read(built).data == {"a": b"1"}
    assert secret.read(built).mark == "me"
    richer = {**built, "data": {**built["data"], "more": "Mg=="}}
    assert secret.same(built, richer)
    assert not secret.same(built, richer, gone=("more",))
    assert secret.leftovers(richer, ("more",), built) == {"data": {"more": None}}
    assert secret.leftovers(built, ("more",), built) is None
    assert not secret.same(built, None)
    assert not secret.same(built, {**built, "data": {"a": "Mg=="}})
    assert not secret.same(built, {**built, "metadata": {**built["metadata"], "annotations": {}}})


def test_a_secret_with_rubbish_is_read_all_the_same() -> None:
    found = secret.read({"metadata": {}, "data": {"good": "eA==", "bad": "?", "none": None}})
    assert found.data == {"good": b"x"}
    assert secret.read(None).live is None
    assert "x" not in repr(found)
