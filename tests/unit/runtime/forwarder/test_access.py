"""Who may send."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_runtime.forwarder.access import Access
from speedscale_runtime.forwarder.refusals import ANSWERS, Reason, Refused
from speedscale_schemas.errors import ConfigError


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_tokens_this_machine_may(peer: str) -> None:
    Access("").check("", peer)


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "fe80::1%eth0", "", "localhost"])
def test_without_tokens_others_may_not(peer: str) -> None:
    with pytest.raises(Refused) as caught:
        Access("").check("Bearer anything", peer)
    assert caught.value.reason is Reason.NOT_LOOPBACK


def test_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("a-token-of-some-length\n\nanother-token-0123\n")
    access = Access(str(path))
    access.check("Bearer another-token-0123", "10.0.0.1")
    access.check("bearer a-token-of-some-length ", "10.0.0.1")
    for header, reason in (
        ("", Reason.UNAUTHENTICATED),
        ("Basic a-token-of-some-length", Reason.UNAUTHENTICATED),
        ("Bearer ", Reason.UNAUTHENTICATED),
        ("Bearer a-token-of-some-lengt", Reason.FORBIDDEN),
        ("Bearer \u2603", Reason.FORBIDDEN),
    ):
        with pytest.raises(Refused) as caught:
            access.check(header, "127.0.0.1")
        assert caught.value.reason is reason


@pytest.mark.parametrize("text", ["", "\n", "short\n", "long-enough-0123456\nshort"])
def test_a_bad_token_file_is_refused_and_the_old_tokens_stay(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text("a-token-of-some-length\n")
    access = Access(str(path))
    path.write_text(text)
    with pytest.raises(ConfigError, match="tokens"):
        access.refresh()
    access.check("Bearer a-token-of-some-length", "10.0.0.1")
    with pytest.raises(ConfigError):
        Access(str(path))


def test_every_reason_has_an_answer() -> None:
    assert set(ANSWERS) == set(Reason)
    assert all((wait is not None) == (status in (429, 503)) for status, wait in ANSWERS.values())
