"""Detectors of a user's own: found at their longest, in linear time, or refused with the reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.dlp import KeyRing, compile_rule
from speedscale_runtime.dlp.linear import LinearPattern
from speedscale_schemas.errors import ConfigError


def _rule(**custom: object) -> dict[str, object]:
    return {"id": "r", "custom": [{"id": "own", "kind": "OWN", **custom}]}


def test_a_pattern_takes_the_longest_match(keys: KeyRing) -> None:
    redacted, findings = compile_rule(_rule(pattern="EMP-[0-9]+"), keys).redact_text(b"see EMP-12345 and EMP-7, XEMP-")
    assert [f.length for f in findings] == [9, 5]
    assert b"EMP-1" not in redacted
    assert redacted.endswith(b", XEMP-")


def test_keywords_and_exclusions_are_asked(keys: KeyRing) -> None:
    own = compile_rule(_rule(pattern="[A-Z]{2}[0-9]{6}", keywords=["staff"], exclude=["AA"]), keys)
    assert own.redact_text(b"staff AB123456")[1]
    assert not own.redact_text(b"order AB123456")[1]
    assert not own.redact_text(b"distaff AB123456")[1]
    assert not own.redact_text(b"staff AA123456")[1]


def test_what_explodes_elsewhere_is_searched_once(keys: KeyRing) -> None:
    own = compile_rule(_rule(pattern="(a+)+b"), keys)
    text = b"a" * 20_000 + b"!"
    assert own.redact_text(text)[0] == text
    redacted, _ = own.redact_text(b"x" + b"a" * 50 + b"b")
    assert redacted.startswith(b"xREDACTED-OWN-")


@pytest.mark.parametrize(
    ("pattern", "why"), [("(a)\\1b", "ack"), ("(?<=x)abc", "ero-width"), ("a*b*", "empty"), ("(abc", "arenthes")]
)
def test_what_cannot_be_linear_is_refused_with_the_reason(keys: KeyRing, pattern: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_rule(_rule(pattern=pattern), keys)
    assert repr(pattern) in str(refused.value)
    assert why in str(refused.value)


@given(st.text("ab1- ", max_size=60))
def test_matches_are_those_of_re_where_both_are_leftmost_longest(text: str) -> None:
    expression = "a[b1]{1,8}-?"
    linear, data = LinearPattern(expression, False), text.encode()
    at, mine = 0, []
    while (match := linear.search(data, at)) is not None:
        mine.append(match.span())
        at = match.end()
    assert mine == [m.span() for m in re.finditer(expression.encode(), data)]
