"""Every detector takes its examples, leaves its counter-examples, and its prefilter sees what its grammar takes."""

from __future__ import annotations

import dataclasses
import re

import pytest

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.detectors import DETECTORS, KEY_RULES, Detector, KeyRule, card
from speedscale_runtime.dlp.prefilter import FIRST, KEY


@pytest.mark.parametrize(
    ("detector", "text"), [(d, e) for d in DETECTORS for e in d.examples], ids=lambda v: getattr(v, "name", None)
)
def test_takes_its_examples(standard: Redactor, detector: Detector, text: str) -> None:
    data = text.encode()
    assert FIRST + DETECTORS.index(detector) in {i for i, _ in standard.engine.hits(data)}
    names = {e.notes[0].detector for e in standard.engine.values(data, standard.engine.hits(data))}
    assert detector.name in names


@pytest.mark.parametrize(
    ("detector", "text"),
    [(d, e) for d in DETECTORS for e in d.counter_examples],
    ids=lambda v: getattr(v, "name", None),
)
def test_leaves_its_counter_examples(standard: Redactor, detector: Detector, text: str) -> None:
    data = text.encode()
    names = {e.notes[0].detector for e in standard.engine.values(data, standard.engine.hits(data))}
    assert detector.name not in names


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [(r, k, v) for r in KEY_RULES for k, v in r.examples],
    ids=lambda v: getattr(v, "name", None),
)
def test_key_rules_take_their_examples(standard: Redactor, rule: KeyRule, key: str, value: str) -> None:
    assert standard.engine.names.rule(key.encode()) is rule
    assert rule.accept(value.encode())
    if not rule.person:
        assert KEY in {i for i, _ in standard.engine.hits(b'{"' + key.encode() + b'":1}')}


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [(r, k, v) for r in KEY_RULES for k, v in r.counter_examples],
    ids=lambda v: getattr(v, "name", None),
)
def test_key_rules_leave_their_counter_examples(standard: Redactor, rule: KeyRule, key: str, value: str) -> None:
    found = standard.engine.names.rule(key.encode())
    assert found is not rule or not rule.accept(value.encode())


@pytest.mark.parametrize(
    "spelling", ["userPassword", "user_password", "USER-PASSWORD", "user.password", "User Password"]
)
def test_names_are_one_name_however_they_are_joined(standard: Redactor, spelling: str) -> None:
    found = standard.engine.names.rule(spelling.encode())
    assert found is not None
    assert found.kind == "PASSWORD"


def test_every_detector_has_both_kinds_of_examples() -> None:
    for item in (*DETECTORS, *KEY_RULES):
        assert item.examples, item.name
        assert item.counter_examples, item.name


class _Counting:
    """A grammar that counts how often it is asked."""

    def __init__(self, grammar: re.Pattern[bytes]) -> None:
        self.grammar, self.asked = grammar, 0

    def search(self, data: bytes, start: int, stop: int) -> re.Match[bytes] | None:
        self.asked += 1
        return self.grammar.search(data, start, stop)


@pytest.mark.parametrize(("name", "unit"), [("email", b"a@b."), ("email", b"a.b@"), ("phone_nanp", b"415-555-")])
def test_what_many_hits_reach_is_searched_once(standard: Redactor, name: str, unit: bytes) -> None:
    engine = standard.engine
    ((pattern, detector),) = [(i, d) for i, d in engine.detectors.items() if d.name == name]
    counting = _Counting(detector.grammar)
    engine.detectors[pattern] = dataclasses.replace(detector, grammar=counting)  # type: ignore[arg-type]
    try:
        data = unit * 5000
        hits = engine.hits(data)
        assert len(hits) > 4000
        engine.values(data, hits)
    finally:
        engine.detectors[pattern] = detector
    assert counting.asked < 10


def test_a_card_is_judged_by_the_lengths_of_its_issuer() -> None:
    assert card.issuer(b"4111111111111111")
    assert not card.issuer(b"411111111111111")
    assert card.issuer(b"2720990000000007")
    assert not card.issuer(b"2721000000000004")
    assert card.luhn(b"4111111111111111")
    assert not card.luhn(b"4111111111111112")
    assert card.luhn(b"79927398713")
