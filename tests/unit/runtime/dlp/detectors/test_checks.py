"""Check digits beside naive implementations that share nothing with them, over generated digits."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.dlp.detectors import CLASSES, DETECTORS, KEY_RULES, checks
from speedscale_runtime.dlp.detectors.national import SCHEMES

_DIGITS = st.text("0123456789", min_size=2, max_size=22)


@given(_DIGITS)
def test_luhn(text: str) -> None:
    total = 0
    for i, c in enumerate(reversed(text)):
        total += sum(map(int, str(int(c) * (1 + i % 2))))
    assert checks.luhn(text.encode()) == (total % 10 == 0)


@given(_DIGITS)
def test_verhoeff_has_one_check_digit_and_sees_neighbours_swapped(body: str) -> None:
    valid = [d for d in "0123456789" if checks.verhoeff((body + d).encode())]
    assert len(valid) == 1
    number = body + valid[0]
    for i in range(len(number) - 1):
        if number[i] != number[i + 1]:
            swapped = number[:i] + number[i + 1] + number[i] + number[i + 2 :]
            assert not checks.verhoeff(swapped.encode())


@given(_DIGITS)
def test_mod_11_10_has_one_check_digit(body: str) -> None:
    assert sum(checks.mod_11_10((body + d).encode()) for d in "0123456789") == 1


@given(_DIGITS)
def test_mod_11_2_is_the_sum_of_powers_of_two(text: str) -> None:
    total = sum(int(c) * 2**i for i, c in enumerate(reversed(text)))
    assert checks.mod_11_2(text.encode()) == (total % 11 == 1)


@given(st.text("0123456789ABCXYZ", min_size=2, max_size=30))
def test_mod_97_counts_letters_from_ten(text: str) -> None:
    number = 0
    for c in text:
        value = int(c, 36)
        number = number * (100 if value > 9 else 10) + value
    assert checks.mod_97(text.encode()) == (number % 97 == 1)


def test_all_names_are_one_of_a_kind() -> None:
    names = [d.name for d in (*DETECTORS, *CLASSES)]
    assert len(names) == len(set(names))
    rules = [k.name for k in KEY_RULES]
    assert len(rules) == len(set(rules))
    assert len({s.name for s in SCHEMES}) == len(SCHEMES)


@given(st.sampled_from([*DETECTORS, *CLASSES]), st.data())
def test_validators_answer_whatever_their_grammar_takes(detector: object, data: st.DataObject) -> None:
    assert hasattr(detector, "grammar")
    text = data.draw(st.from_regex(detector.grammar))[:2000]
    for match in list(detector.grammar.finditer(text))[:4]:
        verdict = detector.validate(match, text)
        if not isinstance(verdict, str):
            assert match.start() <= verdict.start < verdict.end <= match.end()
            assert re.search(rb"\S", text[verdict.start : verdict.end])


@given(st.sampled_from(KEY_RULES), st.binary(max_size=200))
def test_rules_for_names_answer_to_any_bytes(rule: object, value: bytes) -> None:
    assert isinstance(rule.accept(value), str)  # type: ignore[attr-defined]
