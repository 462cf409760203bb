"""No planted value is left in any final byte under any decoding; harmless ids are; redacting twice changes nothing."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from speedscale_runtime.demo.leaks import find_leaks, views
from speedscale_runtime.dlp import Redactor

_ROUND = 60  # every writer with every coding


@pytest.fixture(scope="module")
def round_of_samples(traffic: ModuleType) -> list:
    return list(traffic.samples(20, _ROUND))


def test_the_scanner_finds_every_planted_value_when_redaction_is_off(round_of_samples: list) -> None:
    for sample in round_of_samples:
        found = {leak.original for leak in find_leaks([sample.frame.head, sample.frame.response_body], sample.planted)}
        assert found == set(sample.planted), sample.name


def test_nothing_planted_is_left(standard: Redactor, round_of_samples: list) -> None:
    for sample in round_of_samples:
        outcome = standard.redact_frame(sample.frame)
        assert outcome.modified
        assert find_leaks([outcome.frame.head, outcome.frame.response_body], sample.planted) == [], sample.name


def test_harmless_ids_survive(standard: Redactor, round_of_samples: list) -> None:
    lost: list[tuple[str, str]] = []
    for sample in round_of_samples:
        frame = standard.redact_frame(sample.frame).frame
        everything = frame.head + b" ".join(v for v, _ in views(frame.response_body))
        lost += [(sample.name, text) for text in sample.harmless if text.encode() not in everything]
    assert lost == []


def test_redacting_twice_changes_nothing(standard: Redactor, round_of_samples: list) -> None:
    for sample in round_of_samples:
        once = standard.redact_frame(sample.frame).frame
        again = standard.redact_frame(once)
        assert not again.modified, (sample.name, again.findings)
        assert again.frame is once


def test_structure_stays(standard: Redactor, round_of_samples: list) -> None:
    for sample in round_of_samples:
        frame = standard.redact_frame(sample.frame).frame
        head = json.loads(frame.head)
        assert head["dlpModified"] is True
        assert head["dlpRule"] == "standard"
        headers = head["http"]["res"]["headers"]
        assert headers["Content-Length"] == [str(len(frame.response_body))]
        if sample.coding == "" and sample.content_type == "application/json":
            assert _shape(json.loads(frame.response_body)) == _shape(json.loads(sample.frame.response_body))


def test_findings_never_hold_a_value(standard: Redactor, round_of_samples: list) -> None:
    for sample in round_of_samples[:12]:
        text = repr(standard.redact_frame(sample.frame).findings)
        assert [v for v in sample.planted if v in text] == [], sample.name


def test_the_scanner_reads_folders_and_names_the_way(tmp_path, traffic: ModuleType) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.bin").write_bytes(traffic.CODINGS["br"](b'{"m":"Ada\\u0040Example.com"}' * 3))
    (leak,) = find_leaks(tmp_path, ["ada@example.com", "nobody@example.com"])
    assert leak.original == "ada@example.com"
    assert leak.encodings == ("brotli", "json escapes")
    assert leak.source.endswith("x.bin")


@pytest.mark.parametrize(
    "blob",
    [
        b"4111 1111 1111 1111",
        b"4111-1111-1111-1111",
        b"34313131313131313131313131313131",
        b"4%2531111111111111111"[:0] + b"%34111111111111111",
        b"%2534111111111111111",
        b"&#52;111111111111111",
        b"\\u0034111111111111111",
        "4111111111111111".encode("utf-16-be"),
        b"NDExMTExMTExMTExMTExMQ",
        b"eHg0MTExMTExMTExMTExMTEx",
    ],
)
def test_the_scanner_undoes_every_spelling_of_a_number(blob: bytes) -> None:
    assert len(find_leaks(blob, ["4111111111111111"])) == 1


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {k: _shape(v) for k, v in value.items()}
    return [_shape(v) for v in value] if isinstance(value, list) else type(value)
