"""YAML text: its values, their lines, and what readers would take for different things."""

from __future__ import annotations

import json

import pytest

from speedscale_manifests.objects.emit import emit
from speedscale_manifests.validate import reading
from speedscale_manifests.validate.reading import line_of, read


def reasons(text: str | bytes) -> list[tuple[int, str]]:
    found = read(text if isinstance(text, bytes) else text.encode())
    return [(line, reason) for line, _, reason in found.problems]


@pytest.mark.parametrize(
    ("scalar", "words"),
    [
        ("yes", "yes is a boolean to YAML 1.1 and text to 1.2; quote it"),
        ("Off", "Off is a boolean"),
        ("y", "y is a boolean"),
        ("0o17", "0o17 is text to some YAML readers and an integer to others"),
        ("012", "012 is 10 to YAML 1.1 and 12 to 1.2; write 10"),
        ("089", "089 is text to some"),
        ("1e3", "1e3 is text to some"),
        ("12:30:45", "12:30:45 is an integer to some"),
        ("2001-01-01", "2001-01-01 is a date to some"),
        ("1_000", "1_000 is an integer to YAML 1.1 and text to 1.2"),
        ("0b11", "0b11 is an integer to YAML 1.1"),
        (".nan", ".nan is no JSON number"),
        ("-.inf", "-.inf is no JSON number"),
        ("=", "= is a default value"),
        ("!!binary abc", "kubectl does not know it"),
        ("!mine x", "kubectl does not know it"),
        ("{<<: {b: c}}", "<< is a merge key"),
    ],
)
def test_traps(scalar: str, words: str) -> None:
    found = reasons(f"first: x\na: {scalar}\n")
    assert [line for line, _ in found] == [2]
    assert words in found[0][1]


@pytest.mark.parametrize(
    "scalar",
    [
        *("true", "false", "null", "~", "", "1", "-3", "0", "1.5", "0x1F", "text", "v1.2.3", "10.0.0.0/8", "1.2.3"),
        *("'yes'", '"012"', "sha256:00e1", "a=b", "500m", "-x", "/metrics", "|\n    yes\n    no"),
    ],
)
def test_what_every_reader_takes_for_the_same(scalar: str) -> None:
    assert reasons(f"a: {scalar}\n") == []


def test_keys_are_looked_at_as_well() -> None:
    assert "on is a boolean" in reasons("on: x\n")[0][1]
    assert "the key '1' is read as an integer; quote it" in reasons("1: x\n")[0][1]
    assert "a key that is no text" in reasons("? [a]\n: 1\n")[0][1]


def test_a_key_that_stands_twice_names_both_lines() -> None:
    assert reasons("a: 1\nb: 2\na: 3\n") == [(3, "this key stands twice, first in line 1; only one counts")]


def test_what_we_write_has_no_trap() -> None:
    words = ["yes", "on", "y", "0o17", "012", "1e3", "12:30:45", "2001-01-01", "1_000", ".nan", "=", "<<", "~", "null"]
    manifest = {"data": {word: word for word in words}, "list": [True, None, 1, 1.5, 1e300, "a\nyes\n"]}
    found = read(emit(manifest).encode())
    assert found.problems == []
    assert found.documents == [manifest]


def test_json_is_yaml() -> None:
    document = {"a": [1, {"b": "yes"}], "c": None}
    assert read(json.dumps(document, indent=1).encode()).documents == [document]


def test_lines_of_keys_items_and_what_lies_below() -> None:
    lines = read(b"a:\n  b:\n  - x\n  - c: 1\n    d: {e: 2}\n").lines[0]
    assert lines["a", "b", 1, "d", "e"] == 5
    assert line_of(lines, ("a", "b", 1, "missing", "deeper")) == 4
    assert line_of(lines, ("nowhere",)) == 1


def test_several_documents_keep_their_lines() -> None:
    found = read(b"a: 1\n---\n# nothing\n---\nb: 2\n")
    assert found.documents == [{"a": 1}, {"b": 2}]
    assert [lines[()] for lines in found.lines] == [1, 5]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"a: [\n", 2, "no YAML"),
        (b"ok: 1\na: \xff\n", 2, "byte 9 is no UTF-8"),
        (b"%YAML 1.1\n---\na: 1\n", 1, "kubectl refuses it"),
        (b"&a [*a]\n", 1, "nested deeper"),
        (b"a: \x01\n", 1, "no YAML"),
        (b"[" * 3000, 1, ""),
    ],
)
def test_texts_that_cannot_be_read_are_a_problem_and_no_exception(text: bytes, line: int, words: str) -> None:
    found = read(text)
    assert found.problems
    assert found.problems[0][0] == line or not words
    assert words in found.problems[0][2]


def test_aliases_that_mean_billions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_NODES", 1000)
    text = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
    text += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "more than 1,000 values" in reasons(text)[0][1]
