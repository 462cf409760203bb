"""Actions by kind: what stands in the place of a value, that it is recognised again, and that keys can change."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import KeyRing, Redactor, actions, compile_rule
from speedscale_runtime.dlp.actions import Reversible, Surrogates, is_mask, mask
from speedscale_runtime.dlp.detectors import DETECTORS, KEY_RULES
from speedscale_runtime.dlp.tokens import TOKEN, Tokeniser, canonical
from speedscale_runtime.rrpair import RRPair

KEY, NEXT = b"k" * 32, b"n" * 32
KINDS = sorted({d.kind for d in (*DETECTORS, *KEY_RULES)})
_VALUES = [(d.kind, e) for d in DETECTORS for e in d.examples] + [(k.kind, v) for k in KEY_RULES for _, v in k.examples]


@pytest.fixture(scope="module")
def made() -> Callable[[Mapping[str, str]], Redactor]:
    known: dict[str, Redactor] = {}

    def make(wanted: Mapping[str, str], keys: KeyRing | None = None) -> Redactor:
        at = json.dumps([sorted(wanted.items()), repr(keys)])
        if at not in known:
            rule = {"id": "mine", "discover_patterns": True, "actions": dict(wanted)}
            known[at] = compile_rule(rule, keys or KeyRing({"k1": KEY}))
        return known[at]

    return make


def surrogate(kind: str, value: str, key: bytes = KEY) -> str:
    tokens = Tokeniser(key, actions={kind: "surrogate"})
    return tokens.token(kind, value.encode()).decode()


def luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(digits))) % 10 == 0


def mod97(text: str) -> int:
    compact = re.sub(r"\W", "", text).upper()
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97


class TestSurrogates:
    @pytest.mark.parametrize(
        "card", ["4111 1111 1111 1111", "378282246310005", "4111-1111-1111-1111", "6304000000000000000"]
    )
    def test_cards_keep_separators_and_pass_luhn(self, card: str) -> None:
        new = surrogate("CREDIT_CARD", card)
        assert re.sub(r"\d", "0", new) == re.sub(r"\d", "0", card)
        assert luhn(new)
        assert new != card

    @pytest.mark.parametrize("iban", ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"])
    def test_ibans_keep_country_and_pass_mod_97(self, iban: str) -> None:
        new = surrogate("IBAN", iban)
        if new.startswith("REDACTED-"):
            assert len(iban) < 18  # too short to be recognised again
            return
        assert re.sub(r"\d", "0", re.sub(r"[A-Z]", "A", new)) == re.sub(r"\d", "0", re.sub(r"[A-Z]", "A", iban))
        assert new[:2] == iban[:2]
        assert mod97(new) == 1

    def test_mails_have_a_reserved_domain(self) -> None:
        new = surrogate("EMAIL", "Ada.Lovelace+x1@mail.example.org")
        assert re.fullmatch(r"[A-Z][a-z]{2}\.[A-Z][a-z]{7}\+[a-z]\d@[a-z]+\.test", new)
        assert len(new) == len("Ada.Lovelace+x1@mail.example.org")

    @pytest.mark.parametrize(
        ("kind", "value", "shape"),
        [
            ("PHONE", "+1 (415) 555-2671", r"\+9 \(\d{3}\) \d{3}-\d{4}"),
            ("SSN", "123-45-6789", r"9\d\d-\d\d-\d{4}"),
            ("BIRTH_DATE", "1984-02-29", r"18\d\d-\d\d-\d\d"),
            ("BIRTH_DATE", "29.02.1984", r"\d\d\.\d\d\.18\d\d"),
            ("IP4", "203.0.113.9", r"2(4\d|5[0-4])\.\d+\.\d+\.\d+"),
            ("IP6", "fe80::1", r"2001:db8:[0-9a-f:]+"),
            ("PASSWORD", "Correct-Horse 42", r"[A-Z][a-z]{6}-[A-Z][a-z]{4} \d\d"),
            ("MAC", "00:1A:2B:3C:4D:5E", r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"),
            ("NAME", "Zoë Nuñez-Márquez", r"[A-Z][a-z]{2} [A-Z][a-z]{4}-[A-Z][a-z]{6}"),
        ],
    )
    def test_shapes(self, kind: str, value: str, shape: str) -> None:
        assert re.fullmatch(shape, surrogate(kind, value))

    def test_what_is_too_short_to_be_recognised_gets_a_token(self) -> None:
        assert TOKEN.fullmatch(surrogate("PASSWORD", "abc1").encode())
        assert TOKEN.fullmatch(surrogate("NAME", "Ada").encode())

    def test_spellings_of_one_value_have_one_surrogate(self) -> None:
        assert surrogate("SSN", "123-45-6789").replace("-", "") == surrogate("SSN", "123456789")
        assert surrogate("EMAIL", "ada@example.org") == surrogate("EMAIL", "ADA@example.org").lower()

    def test_ssns_seldom_share_one_and_are_those_of_nobody(self) -> None:
        new = {surrogate("SSN", f"{100 + i}-{10 + i % 80}-{1000 + 7 * i}") for i in range(400)}
        assert len(new) >= 398  # of half a million
        assert all(re.fullmatch(r"9\d\d-[0-4]\d-\d{4}", n) for n in new)

    def test_an_ssn_has_one_surrogate_as_text_and_as_number(self) -> None:
        tokens = Tokeniser(KEY, actions={"SSN": "surrogate"})
        number = tokens.number("SSN", b"123456789")
        assert number == tokens.token("SSN", b"123-45-6789").replace(b"-", b"")
        assert tokens.is_number(number, "SSN")
        assert tokens.number("SSN", number) == number
        assert not Tokeniser(NEXT).is_number(number, "SSN")

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(st.sampled_from([*KINDS, "UUID"]), st.text(min_size=1, max_size=40))
    def test_every_surrogate_is_recognised_under_its_own_key_alone(self, kind: str, value: str) -> None:
        raw = value.encode("utf-8", "replace")
        tokens = Tokeniser(KEY, actions={kind: "surrogate"})
        new = tokens.token(kind, raw)
        assert new == tokens.token(kind, raw)
        if TOKEN.fullmatch(new):
            return
        assert tokens.spent(kind, new)
        if kind != "BIRTH_DATE":
            assert not Tokeniser(NEXT, actions={kind: "surrogate"}).spent(kind, new) or len(value) < 16

    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(st.sampled_from(["EMAIL", "CREDIT_CARD", "IBAN", "NAME", "SECRET", "IP4", "IP6"]), st.integers(0, 10**18))
    def test_real_values_are_not_taken_for_surrogates(self, kind: str, seed: int) -> None:
        values = {
            "EMAIL": f"user{seed}@example.org",
            "CREDIT_CARD": f"4{seed % 10**15:015}",
            "IBAN": f"DE{seed % 90 + 10}{seed % 10**18:018}",
            "NAME": f"Name {seed:x} Of Somebody",
            "SECRET": f"sk_{seed:032x}",
            "IP4": f"{seed % 223 + 1}.{seed % 251}.{seed % 241}.{seed % 239}",
            "IP6": f"2a00:{seed % 65536:x}::{seed % 9973:x}",
        }
        assert not Surrogates((lambda b: __import__("hmac").digest(KEY, b, "sha256"),)).knows(
            kind, values[kind].encode()
        )


@pytest.mark.parametrize("action", ["surrogate", "drop", "mask", "reversible"])
@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_redacting_twice_changes_nothing_and_nothing_is_left(
    made: Callable[..., Redactor], action: str, kind: str
) -> None:
    redactor = made(dict.fromkeys(KINDS, action))
    for name, value in _VALUES:
        data = f"note: {value}\n".encode() if kind == "text/plain" else json.dumps({"note": value, "n": 1}).encode()
        once, findings = redactor.redact_text(data, kind)
        again, more = redactor.redact_text(once, kind)
        assert again == once, (name, value, once, more)
        if kind == "application/json":
            assert json.loads(once)["n"] == 1
        if findings and action in ("surrogate", "drop") and name in ("EMAIL", "CREDIT_CARD", "IBAN", "PHONE"):
            assert find_leaks(once, [value]) == []


@pytest.mark.parametrize("action", ["surrogate", "drop", "mask", "reversible"])
def test_values_under_names_are_recognised_too(made: Callable[..., Redactor], action: str) -> None:
    redactor = made(dict.fromkeys(KINDS, action))
    for rule in KEY_RULES:
        for name, value in rule.examples:
            data = json.dumps({name: value, "email": "ada@example.org"}).encode()
            once, _ = redactor.redact_text(data, "application/json")
            again, more = redactor.redact_text(once, "application/json")
            assert again == once, (rule.name, name, value, once, more)


class TestMask:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("4111111111111111", "************1111"),
            ("12345678", "********"),
            ("päßwörter-ßeta", "**********ßeta"),
            ("2001:db8::8::1", "**************"),
            ("x", "*"),
        ],
    )
    def test_shows_the_last_four_characters_of_long_ones(self, value: str, shown: str) -> None:
        assert mask(value.encode()).decode() == shown
        assert is_mask(mask(value.encode()))

    @pytest.mark.parametrize("value", ["*****realpassword", "a****", "", "*****8::1"])
    def test_what_only_begins_like_one_is_none(self, value: str) -> None:
        assert not is_mask(value.encode())


class TestReversible:
    def test_is_undone_by_the_key_and_by_no_other(self, made: Callable[..., Redactor]) -> None:
        redactor = made({"EMAIL": "reversible"})
        out, _ = redactor.redact_text(b"from Ada@example.org to bob@example.org")
        assert find_leaks(out, ["ada@example.org"]) == []
        assert actions.reveal(out, [KEY]) == (b"from Ada@example.org to bob@example.org", 2, 0)
        assert actions.reveal(out, [NEXT]) == (out, 0, 2)
        assert actions.reveal(out, [NEXT, KEY])[1:] == (2, 0)

    def test_equal_values_stay_equal_and_kinds_apart(self) -> None:
        cipher = Reversible(KEY)
        assert cipher.token("EMAIL", b"a@b.co") == cipher.token("EMAIL", b"a@b.co")
        assert cipher.value("NAME", cipher.token("EMAIL", b"a@b.co").rpartition(b"-")[2]) is None

    def test_a_token_that_was_changed_is_not_undone(self) -> None:
        token = bytearray(Reversible(KEY).token("EMAIL", b"ada@example.org"))
        token[-5] = ord("a") if token[-5] != ord("a") else ord("b")
        assert actions.reveal(bytes(token), [KEY])[1:] == (0, 1)


class TestRotation:
    def test_what_an_older_key_made_is_left_alone_and_can_be_undone(self, made: Callable[..., Redactor]) -> None:
        old, new = KeyRing({"k1": KEY}), KeyRing({"k1": KEY, "k2": NEXT})
        assert (new.active, new.older) == (NEXT, (KEY,))
        wanted = {"EMAIL": "surrogate", "SSN": "reversible", "CREDIT_CARD": "surrogate"}
        data = b'{"m":"ada@example.org","s":"123-45-6789","c":"4111111111111111","n":4111111111111111}'
        before = made(wanted, old).redact_text(data, "application/json")[0]
        assert made(wanted, new).redact_text(before, "application/json")[0] == before
        assert made(wanted, new).redact_text(data, "application/json")[0] != before
        assert actions.reveal(before, [new.active, *new.older])[1:] == (1, 0)

    def test_without_the_older_key_surrogates_are_values_again(self, made: Callable[..., Redactor]) -> None:
        wanted = {"EMAIL": "surrogate"}
        before = made(wanted, KeyRing({"k1": KEY})).redact_text(b"ada@example.org")[0]
        assert made(wanted, KeyRing({"k2": NEXT})).redact_text(before)[0] != before


def test_the_plain_token_is_the_same_beside_other_actions() -> None:
    assert Tokeniser(KEY).token("SSN", b"123-45-6789") == Tokeniser(KEY, actions={"EMAIL": "mask"}).token(
        "SSN", b"123-45-6789"
    )
    assert canonical("SSN", b"123-45-6789") == b"123456789"
    assert base64.b64encode(KEY).decode() not in repr(KeyRing({"k1": KEY}))


@pytest.mark.parametrize("action", ["surrogate", "mask", "reversible"])
def test_a_chain_leaves_what_an_action_made(action: str) -> None:
    chain = {
        "filters": {"filters": [{"direction": "IN"}]},
        "extractor": {"type": "res_body"},
        "transforms": [{"type": "json_path", "config": {"path": "contact"}}, {"type": "dlp_field"}],
    }
    rule = {"id": "mine", "discover_patterns": True, "actions": {"EMAIL": action}, "transforms": [chain]}
    redactor = compile_rule(rule, KeyRing({"k1": KEY}), compile_filter=lambda spec: lambda pair: True)
    pair = RRPair({"http": {"req": {}, "res": {}}}, None, b'{"contact":"ada.lovelace@example.org"}')
    once = redactor.redact_pair(pair).pair
    assert b"ada.lovelace@" not in (once.response_body or b"")
    assert redactor.redact_pair(once).pair.response_body == once.response_body
