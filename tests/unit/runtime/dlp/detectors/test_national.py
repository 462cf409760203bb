"""Each national identifier: its published numbers pass, wrong digits do not, and only a word for it makes one count."""

from __future__ import annotations

import re

import pytest

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.detectors.national import SCHEMES
from speedscale_runtime.dlp.detectors.national.base import Scheme, compact


def _passes(scheme: Scheme, number: str) -> bool:
    data = number.encode()
    return re.fullmatch(rb"(?i)(?:" + scheme.shape + rb")", data) is not None and not scheme.check(compact(data))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_published_numbers_pass_and_wrong_ones_do_not(scheme: Scheme) -> None:
    assert scheme.valid
    assert scheme.invalid
    for number in scheme.valid:
        assert _passes(scheme, number), number
    for number in scheme.invalid:
        assert not _passes(scheme, number), number


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_a_number_alone_is_none(standard: Redactor, scheme: Scheme) -> None:
    for number in scheme.valid:
        _, findings = standard.redact_text(f"ticket {number} closed".encode())
        assert not [f for f in findings if f.detector == scheme.name]


@pytest.mark.parametrize("word", ["СНИЛС", "снилс", "Снилс", "SNILS"])
def test_words_count_in_any_letter_case(standard: Redactor, word: str) -> None:
    redacted, _ = standard.redact_text(f"{word}: 112-233-445 95".encode())
    assert b"112-233" not in redacted


def test_a_guarded_name_asks_for_the_check_as_well(standard: Redactor) -> None:
    assert standard.redact_text(b'{"sin": 130692544}', "application/json")[1]
    assert not standard.redact_text(b'{"sin": 0.130692}', "application/json")[1]
    assert not standard.redact_text(b'{"sin": 130692545}', "application/json")[1]
