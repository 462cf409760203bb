"""YAML in, plain values with line numbers out; whatever stands in the file, nothing is raised."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.lint import Document, lint, read
from speedscale_manifests.lint.documents import MAX_DEPTH
from speedscale_manifests.lint.scalars import plain

TEXT = """\
# a comment
a: 1
b:
  - x
  - y: {z: 2}
---
base: &base {one: 1, two: 2}
more:
  <<: *base
  two: 3
same: *base
---
"""


def only(text: str) -> Document:
    documents, problems = read(text, "x.yaml")
    assert problems == []
    (document,) = documents
    return document


def test_values_and_places() -> None:
    documents, problems = read(TEXT, "x.yaml")
    assert problems == []
    first, second = documents
    assert first.value == {"a": 1, "b": ["x", {"y": {"z": 2}}]}
    assert first.place(("a",)) == (2, 1)
    assert first.place(("b", 0)) == (4, 5)
    assert first.place(("b", 1, "y", "z")) == (5, 9)
    assert first.place(("b", 1, "y", "nothing", "below")) == (5, 5)
    assert second.value["more"] == {"one": 1, "two": 3}
    assert second.place(("same", "one")) == (11, 1)


@pytest.mark.parametrize("text", ["", "\n", "---\n---\n", "# only a comment\n", "null\n", "\ufeff"])
def test_nothing_in_it(text: str) -> None:
    assert read(text, "x.yaml") == ([], [])


def test_json_is_yaml() -> None:
    assert only(json.dumps({"a": [1, True, None, "yes", 1.5]}, indent=1)).value == {"a": [1, True, None, "yes", 1.5]}


def test_bytes_with_a_mark() -> None:
    assert read(b"\xef\xbb\xbfa: 1\n", "x.yaml")[0][0].value == {"a": 1}


def test_duplicates_are_noted_with_their_second_place() -> None:
    document = only("a: 1\nb: 2\na: 3\n")
    assert document.duplicates == ((("a",), (3, 1)),)
    assert document.value == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "expected ',' or ']'"),
        ("a: 1\n\tb: 2\n", 2, "a tab character"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: *nothing\n", 1, "undefined alias|refers to nothing"),
        ("a: &a [*a]\n", 1, "refers to nothing before it, or to what it stands in"),
        ("? [a]\n: 1\n", 1, "a mapping or list as a key"),
        ("a: 1\nb: \x01\n", 2, "not allowed in YAML|control characters"),
    ],
)
def test_broken_texts_are_findings_with_a_line(text: str, line: int, said: str) -> None:
    _, (problem,) = read(text, "x.yaml")
    assert (problem.rule, problem.severity, problem.line) == ("SPD090", "error", line)
    assert any(part in problem.message for part in said.split("|")), problem.message


def test_no_utf8_is_a_finding() -> None:
    _, (problem,) = read("a: ä".encode("latin-1"), "x.yaml")
    assert "byte 3 is no UTF-8" in problem.message


def test_what_stands_before_the_error_is_kept() -> None:
    documents, problems = read("a: 1\n---\nb: [\n", "x.yaml")
    assert [d.value for d in documents] == [{"a": 1}]
    assert [p.rule for p in problems] == ["SPD090"]


@pytest.mark.parametrize(
    "text", ["a: {{ .Values.x }}\n", "{{- if x }}\na: 1\n{{- end }}\n", "a: 1\n{% if x %}\nb: 2\n{% endif %}\n"]
)
def test_templates_are_left_out_and_said_so(text: str) -> None:
    documents, (problem,) = read(text, "x.yaml")
    assert documents == []
    assert (problem.rule, problem.severity) == ("SPD091", "note")


@pytest.mark.parametrize(
    "text", ["a: '{{name}}'\n", 'a: "x {{ .y }}"\n', "# {{ a }}\na: 1\n", "a: |\n  {{ b }}\n", "a: b {{ c }}\n"]
)
def test_braces_that_yaml_can_read_are_no_template(text: str) -> None:
    assert only(text).value


def test_nesting_without_end() -> None:
    _, (problem,) = read("[" * 100_000, "x.yaml")
    assert problem.rule == "SPD090"
    deep = "".join(f"{' ' * n}a:\n" for n in range(MAX_DEPTH - 1))
    assert only(deep + " " * MAX_DEPTH + "b: 1").value


def test_aliases_that_multiply() -> None:
    lines = ["a0: &a0 [1,2,3,4,5,6,7,8,9]"] + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    _, (problem,) = read("\n".join(lines), "x.yaml")
    assert "aliases expand to more than" in problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, True) for word in ("true", "True", "TRUE", "yes", "on", "y", "Y")],
        *[(word, False) for word in ("false", "no", "Off", "n")],
        *[(word, None) for word in ("", "~", "null")],
        ("0o17", 15), ("017", 15), ("0x1f", 31), ("0b11", 3), ("1_000", 1000), ("-5", -5),
        ("1.5", 1.5), ("1e3", 1000.0), (".inf", math.inf), ("-.inf", -math.inf),
        ("089", 89), ("1:30", "1:30"), ("2001-01-01", "2001-01-01"),
        ("tcp:http", "tcp:http"), ("-", "-"), ("tRUE", "tRUE"),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_kubectl_reads(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


def test_quotes_and_tags() -> None:
    document = only("""a: "true"\nb: 'yes'\nc: !!str 5\nd: !!bool "true"\ne: |\n  true\nf: !Ref x\n""")
    assert document.value == {"a": "true", "b": "yes", "c": "5", "d": True, "e": "true\n", "f": "x"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_what_was_dumped_is_read_again(value: object) -> None:
    documents, problems = read(yaml.safe_dump(value), "x.yaml")
    kept = [d.value for d in documents]
    templates = [p for p in problems if p.rule == "SPD091"]
    assert kept == ([] if value is None or templates else [value])
    assert problems == templates


YAMLISH = st.text(alphabet="ab:-?#&*!|>'\"%@`{}[],~ \t\n<=0.", max_size=80) | st.text(max_size=40)
OURS = [
    "metadata:",
    "annotations:",
    "kind: Deployment",
    "apiVersion: apps/v1",
    "  sidecar.speedscale.com/inject: yes",
    "---",
    "spec:",
]


@given(YAMLISH | st.lists(st.sampled_from(OURS), max_size=12).map("\n".join))
def test_no_text_makes_it_raise(text: str) -> None:
    documents, problems = read(text, "x.yaml")
    found = [*problems, *lint(documents)]
    assert all(p.line >= 1 and p.column >= 1 and str(p) for p in found)


@given(st.binary(max_size=80))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    documents, _ = read(data, "x.yaml")
    lint(documents)
