"""Every detector takes its examples, leaves its counter-examples, and its prefilter sees what its grammar takes."""

from __future__ import annotations

import pytest

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.detectors import DETECTORS, KEY_RULES, Detector, KeyRule
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
