"""Tokens: keyed, the same for every spelling of a value, recognised again; surrogates keep the digit count."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.dlp.tokens import TOKEN, Tokeniser, canonical
from speedscale_schemas.errors import ConfigError

KEY = b"k" * 32


def test_a_token_is_the_hmac_of_the_canonical_value() -> None:
    expected = hmac.new(KEY, b"ada@example.com", hashlib.sha256).hexdigest()[:20]
    assert Tokeniser(KEY).token("EMAIL", b" Ada@Example.COM ") == f"REDACTED-EMAIL-{expected}".encode()


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("CREDIT_CARD", b"4111 1111-1111 1111", b"4111111111111111"),
        ("SSN", b"123-45-6789", b"123 45 6789"),
        ("PHONE", b"+1 (415) 555-2671", b"415.555.2671"),
        ("PHONE", b"0044 20 7946 0958", b"+442079460958"),
        ("IBAN", b"gb82 west 1234 5698 7654 32", b"GB82WEST12345698765432"),
        ("EMAIL", b"Ada@Example.com", b"ada@example.COM"),
        ("NAME", "Zoë  Nuñez".encode(), "zoe\u0308 nun\u0303ez".encode()),
        ("MAC", b"00:1A:2B:3C:4D:5E", b"00-1a-2b-3c-4d-5e"),
        ("IP6", b"2001:0DB8::0001", b"2001:db8:0:0:0:0:0:1"),
        ("BIRTH_DATE", b"1984/02/29", b"1984-02-29"),
    ],
)
def test_spellings_of_one_value_share_a_token(kind: str, one: bytes, other: bytes) -> None:
    assert canonical(kind, one) == canonical(kind, other)


def test_another_key_gives_another_token() -> None:
    assert Tokeniser(KEY).token("SSN", b"123-45-6789") != Tokeniser(b"o" * 32).token("SSN", b"123-45-6789")


@given(st.from_regex(r"\A[1-9][0-9]{0,18}\Z"))
def test_surrogates_have_as_many_digits_and_are_left_alone(digits: str) -> None:
    tokens = Tokeniser(KEY)
    made = tokens.number("SSN", digits.encode())
    assert len(made) == len(digits)
    assert made.isdigit()
    assert made[:1] != b"0"
    assert tokens.is_number(made, "SSN")
    assert tokens.number("SSN", made) == made


@pytest.mark.parametrize("text", [b"-12.50", b"1234.5", b"1e9", b"0.123456"])
def test_surrogates_of_other_numbers_are_json_numbers(text: bytes) -> None:
    tokens = Tokeniser(KEY)
    made = tokens.number("PASSWORD", text)
    json.loads(made)
    assert tokens.number("PASSWORD", made) == made


@pytest.mark.parametrize(
    "text", [b"REDACTED-EMAIL-0123456789abcdef0123", b"REDACTED-" + b"a" * 64, b"REDACTED-IP4-" + b"0" * 20]
)
def test_tokens_of_this_and_of_the_vendors_older_form_are_recognised(text: bytes) -> None:
    assert TOKEN.fullmatch(text)


@pytest.mark.parametrize("text", [b"REDACTED", b"REDACTED-EMAIL-xyz", b"REDACTED-EMAIL-0123"])
def test_what_only_resembles_a_token_is_none(text: bytes) -> None:
    assert not TOKEN.fullmatch(text)


def test_the_cache_is_bounded_and_counts_its_overflow() -> None:
    tokens = Tokeniser(KEY, limit=3)
    for i in range(10):
        tokens.token("EMAIL", f"a{i}@b.com".encode())
    assert len(tokens.memory) <= 3
    assert tokens.evictions == 10 - len(tokens.memory)


def test_one_value_has_one_token_in_header_url_cookie_and_body(standard: Redactor) -> None:
    texts = {
        "application/json": b'{"m":"ada@example.com","n":"\\u0061da@Example.com"}',
        "application/x-www-form-urlencoded": b"m=ada%40example.com",
        "text/xml": b"<m>ada&#64;example.com</m>",
        "text/plain": b"ada@example.com",
    }
    tokens = {f.token for kind, text in texts.items() for f in standard.redact_text(text, kind)[1]}
    assert len(tokens) == 1


class TestKeyRing:
    def test_makes_a_private_file_once(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        first = KeyRing.load_or_create(home)
        path = home / "dlp-keys.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(first.active) == 32
        assert KeyRing.load_or_create(home).active == first.active
        assert [p.name for p in home.iterdir()] == ["dlp-keys.json"]

    def test_two_starts_at_once_agree(self, tmp_path: Path) -> None:
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(KeyRing.load_or_create(tmp_path).active)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1

    def test_reads_a_mounted_secret_and_uses_the_last_id(self, tmp_path: Path) -> None:
        import base64

        for name, byte in (("k1", b"a"), ("k2", b"b")):
            (tmp_path / name).write_text(base64.b64encode(byte * 32).decode() + "\n")
        ring = KeyRing.load(tmp_path)
        assert ring.ids == ("k1", "k2")
        assert ring.active == b"b" * 32
        assert "bbbb" not in repr(ring)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[]", "expected an object"),
            ("{}", "there is no key"),
            ('{"k": 5}', "expected a base64 string"),
            ('{"k": "***"}', "no base64"),
            ('{"k": "YWJj"}', "3 bytes"),
            ("{", "cannot read"),
        ],
    )
    def test_a_wrong_file_is_named(self, tmp_path: Path, text: str, says: str) -> None:
        (tmp_path / "dlp-keys.json").write_text(text)
        with pytest.raises(ConfigError, match=says):
            KeyRing.load_or_create(tmp_path)

    def test_redactors_of_one_home_agree(self, tmp_path: Path) -> None:
        made = [compile_rule(builtin("standard"), KeyRing.load_or_create(tmp_path)) for _ in range(2)]
        assert made[0].redact_text(b"a@b.com")[0] == made[1].redact_text(b"a@b.com")[0]
