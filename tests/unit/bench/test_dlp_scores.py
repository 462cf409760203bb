"""The scorer, the generator and the frozen corpus of the redaction benchmark: figures nobody should have to trust."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.dlp import corpus, leaks, ours, published
from bench.dlp.score import Result, Score, judge, overlap


def test_figures_of_a_score() -> None:
    score = Score(hits=8, false=2, missed=8)
    assert score.precision == 0.8
    assert score.recall == 0.5
    assert score.f2 == pytest.approx(5 * 0.8 * 0.5 / (4 * 0.8 + 0.5))
    assert Score().f2 == 1.0
    assert Score(missed=1).f2 == 0.0


def test_spans_match_by_half_of_both_together() -> None:
    assert overlap((0, 10), (0, 10)) == 1.0
    assert overlap((0, 10), (10, 20)) == 0.0
    assert overlap((0, 10), (5, 15)) == pytest.approx(1 / 3)
    result = Result()
    judge(
        [(0, 10, "A"), (20, 30, "B"), (40, 50, "C")], [(0, 10, "A"), (1, 9, "A"), (18, 30, "X"), (60, 70, "C")], result
    )
    assert (result.total.hits, result.total.false, result.total.missed) == (2, 1, 1)
    assert result.agreed == 1
    assert result.kind("C").missed == 1
    assert result.kind("C").false == 1


def test_a_tool_that_finds_nothing_or_everything_scores_badly() -> None:
    nothing, everything = Result(), Result()
    for document in corpus.documents(5, 20):
        truths = [(s.start, s.end, s.kind) for s in document.spans]
        judge(truths, [], nothing)
        judge(truths, [(0, len(document.data), "ALL")], everything)
    assert nothing.total.f2 == 0.0
    assert everything.total.f2 < 0.1


def test_the_generator_is_deterministic_and_knows_its_spans() -> None:
    first, again = list(corpus.documents(7, 60)), list(corpus.documents(7, 60))
    assert first == again
    assert first != list(corpus.documents(8, 60))
    assert {d.shape for d in first} >= {"xml", "form", "sql", "graphql", "multipart", "log", "json in json"}
    for document in first:
        assert document.spans
        for span in document.spans:
            assert document.data[span.start : span.end]
            if document.shape in ("log", "json numbers"):
                assert document.data[span.start : span.end].decode() == span.value


def test_the_published_corpus_is_frozen() -> None:
    assert published.digest() == published.FROZEN
    assert len(published.documents()) > 150


def test_a_leak_is_seen_under_every_wrapping() -> None:
    document = next(d for d in corpus.documents(3, 40) if d.shape == "json customer")
    for name, wrap in leaks.WRAPPERS.items():
        assert leaks.leaked(document, wrap(document)[0]), name
    assert not leaks.leaked(document, gzip.compress(b'{"nothing": "here"}'))


def test_nothing_leaks_and_scores_hold_on_a_small_corpus() -> None:
    redactor = ours.redactor()
    result, size, false = Result(), 0, 0
    for number, document in enumerate(corpus.documents(11, 40)):
        judge([(s.start, s.end, s.kind) for s in document.spans], ours.spans(redactor, document), result, number)
        for name in ("plain", "gzip in base64 in JSON", "string in JSON, escaped"):
            out = leaks.redact(redactor, leaks.WRAPPERS[name](document))
            assert leaks.leaked(document, out) == [], (name, document.shape)
    for document in corpus.clean(11, 120):
        size += len(document.data)
        false += len(ours.spans(redactor, document))
    assert result.total.f2 >= 0.97
    assert false <= 1
    assert size > 50_000
