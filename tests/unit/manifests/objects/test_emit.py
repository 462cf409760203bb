"""YAML text: every reader reads back what was written, and equal values give equal bytes."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from speedscale_manifests.kustomize import KustomizeMissing, find
from speedscale_manifests.objects.emit import emit, emit_all, ordered

TRAPS = [
    *(
        "y",
        "Y",
        "n",
        "yes",
        "Yes",
        "YES",
        "no",
        "on",
        "Off",
        "true",
        "True",
        "FALSE",
        "null",
        "Null",
        "~",
        "",
        "<<",
        "=",
    ),
    *(
        "0",
        "1",
        "-1",
        "+1",
        "007",
        "0o17",
        "0O17",
        "0x1F",
        "0b11",
        "1_000",
        "1,000",
        "1e3",
        "1E3",
        "1.5e-7",
        ".5",
        "1.",
    ),
    *(
        ".inf",
        "-.inf",
        "+.INF",
        ".nan",
        ".NaN",
        "12:30:45",
        "190:20:30.15",
        "1:30",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
    ),
    *(
        "2001-12-14 21:59:43.10 -5",
        "---",
        "...",
        "--- a",
        "-",
        "- a",
        "-1x",
        "--flag",
        "-c",
        "? a",
        "a: b",
        "a:",
        ": a",
    ),
    *(
        "a #b",
        "#a",
        "a#b",
        "&a",
        "*a",
        "!a",
        "!!str a",
        "|",
        ">",
        "'a'",
        '"a"',
        "%a",
        "@a",
        "`a`",
        "[a]",
        "{a}",
        "a, b",
    ),
    *(
        " a",
        "a ",
        "\ta",
        "a\t",
        "a\tb",
        "a\\b",
        "a'b",
        'a"b',
        "a'b\"c\\d",
        "\n",
        "a\n",
        "\na",
        "a\nb",
        "a\n\nb\n",
        "a\n\n",
    ),
    *(
        "a \nb",
        "  a\nb",
        "a\n  b",
        "a\n\tb",
        "# a\nb",
        "---\na",
        "%YAML 1.1\na",
        "a\r\nb",
        "a\rb",
        "\x00",
        "\x1b[0m",
        "\x7f",
    ),
    *(
        "\x85",
        "\xa0",
        "\u2028",
        "\ufeff",
        "\u202e",
        "é",
        "日本",
        "😀",
        "\U0010ffff",
        "\ufffe",
        "512Mi",
        "100m",
        "1Gi",
        "10.0.0.1",
    ),
    *(
        "10.0.0.0/8",
        "v1.2.3",
        "1.2.3",
        "a" * 300,
        "sha256:0123",
        "0123abc",
        "12e5",
        "0xzz",
        "k8s.io/x: y",
        "=a",
        "<<a",
        "~a",
    ),
]

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.sampled_from(TRAPS)
_LINES = st.lists(st.text("ab:#-| \t'\"", max_size=6), max_size=6).map("\n".join)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | _LINES
)
_NODES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=20
)
_DOCUMENTS = st.dictionaries(_TEXT, _NODES, max_size=6)


def _ruamel(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@given(_DOCUMENTS)
@example({trap: trap for trap in TRAPS})
@example({"deep": [[[{"a": [{}, [], ""]}]]], "k" * 1200: {"a": 1}, "l" * 1200: [1], "m" * 1200: "a\nb"})
def test_both_versions_of_yaml_read_it_back(document: dict[str, Any]) -> None:
    text = emit(document)
    assert yaml.safe_load(text) == document
    assert _ruamel(text) == document
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("trap", TRAPS, ids=repr)
def test_a_trap_is_text_as_value_as_key_and_in_a_list(trap: str) -> None:
    document = {"value": trap, "keys": {trap: 1}, "list": [trap, [trap]]}
    text = emit(document)
    assert yaml.safe_load(text) == document
    assert _ruamel(text) == document


def test_numbers_and_words_stay_what_they_are() -> None:
    document = {
        "a": True,
        "b": None,
        "c": 8080,
        "d": 0.5,
        "e": 1e20,
        "f": 1e-7,
        "g": -(2**63),
        "h": "8080",
        "i": "true",
    }
    assert yaml.safe_load(emit(document)) == document
    assert json.loads(json.dumps(_ruamel(emit(document)))) == document


@pytest.fixture(scope="module")
def program() -> Any:
    try:
        return find()
    except KustomizeMissing as missing:
        pytest.skip(str(missing))


def test_kubernetes_programs_read_it_back(program: Any, tmp_path: Path) -> None:
    unprintable = {"\x7f", "\x85", "\ufffe"}  # read well, but written back as what no reader takes
    data = {f"k{number}": trap for number, trap in enumerate(TRAPS) if trap not in unprintable}
    annotations = {key: trap for key, trap in data.items() if trap}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "traps", "annotations": annotations},
        "data": {**data, "y": "y", "on": "on", "yes": "yes", "1": "1", "1e3": "1e3", "~": "~", "=": "="},
    }
    (tmp_path / "traps.yaml").write_text(emit(manifest), "utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: [traps.yaml]\n")
    assert program.build(tmp_path) == [manifest]


def test_kubernetes_programs_read_any_structure_back(program: Any, tmp_path: Path) -> None:
    random = Random(20)
    alphabet = "yn01.:-+_eExob# \t\n\r'\"\\|>&*!%@`[]{},?~=<é日😀\u2028\u202e\x1b"

    def text() -> str:
        return "".join(random.choices(alphabet, k=random.randrange(1, 9)))

    def key() -> str:
        return text().replace("<<", "<")  # kustomize loses a key `<<`, quoted or not

    def node(depth: int) -> Any:
        kind = random.randrange(8 if depth else 5)
        leaves = (text(), text(), random.randrange(-(2**53), 2**53), random.random(), random.random() < 0.5)
        if kind < 5:
            return leaves[kind]
        if kind == 5:
            return [node(depth - 1) for _ in range(random.randrange(4))]
        return {key(): node(depth - 1) for _ in range(random.randrange(4))}

    things = [
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": f"t{number:03}"}, "spec": {"a": node(4)}}
        for number in range(300)
    ]
    for thing in things:
        (tmp_path / f"{thing['metadata']['name']}.yaml").write_text(emit(thing), "utf-8")
    names = [f"{thing['metadata']['name']}.yaml" for thing in things]
    (tmp_path / "kustomization.yaml").write_text(emit({"resources": names}))
    assert program.build(tmp_path) == things


@given(_DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_in_which_a_mapping_was_filled_does_not_show(document: dict[str, Any], random: Any) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, dict):
            keys = list(node)
            random.shuffle(keys)
            return {key: shuffled(node[key]) for key in keys}
        return [shuffled(item) for item in node] if isinstance(node, list) else node

    assert emit(shuffled(document)) == emit(document)


def test_what_identifies_an_object_comes_first() -> None:
    document = {
        "spec": {"b": 1, "a": 2, "name": "s"},
        "metadata": {"labels": {}, "name": "x"},
        "kind": "K",
        "apiVersion": "v1",
    }
    assert emit(document) == (
        "apiVersion: v1\nkind: K\nmetadata:\n  name: x\n  labels: {}\nspec:\n  name: s\n  a: 2\n  b: 1\n"
    )
    assert ordered(["z", "name", "a", "kind"]) == ["kind", "name", "a", "z"]


def test_texts_of_several_lines_are_blocks_that_can_be_reviewed() -> None:
    text = emit({"data": {"a.yaml": "x: 1\n\ny:\n- 2\n", "b": "no newline\nat the end"}})
    assert text == "data:\n  a.yaml: |\n    x: 1\n\n    y:\n    - 2\n  b: |-\n    no newline\n    at the end\n"


@given(st.lists(_LINES, min_size=1, max_size=5))
def test_no_line_ends_with_blanks_that_an_editor_would_trim(texts: list[str]) -> None:
    assert all(line == line.rstrip() for line in emit({"a": texts}).splitlines())


def test_nothing_is_folded_or_aliased_and_readable_letters_stay() -> None:
    shared = {"a": ["word " * 100 + "end"]}
    text = emit({"one": shared, "two": shared, "three": "Ünïcödé 日本 😀"})
    assert len(text.splitlines()) == 7
    assert "&" not in text
    assert "three: Ünïcödé 日本 😀\n" in text


def test_a_review_sees_characters_that_turn_the_direction_of_text() -> None:
    assert emit({"a": "x\u202ey\u200bz"}) == 'a: "x\\u202ey\\u200bz"\n'


def test_a_whole_float_is_the_integer_that_javascript_would_make_of_it() -> None:
    assert emit({"a": 1.0, "b": -0.0, "c": 2.5, "d": 1e21}) == "a: 1\nb: 0\nc: 2.5\nd: 1.0e+21\n"


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        (math.nan, "a.b[1]", ValueError),
        (math.inf, "a.b[1]", ValueError),
        (2**63, "a.b[1]", ValueError),
        (b"bytes", "a.b[1]", TypeError),
        ({1: 2}, "a.b[1]", TypeError),
        ("\ud800", "a.b[1]", ValueError),
        ("x\n\udfff", "a.b[1]", ValueError),
        ({"\udfff": 1}, "a.b[1]", ValueError),
    ],
)
def test_what_is_no_json_is_refused_with_its_path(value: Any, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused:
        emit({"a": {"b": [0, value]}})
    assert path in str(refused.value)


def test_only_mappings_are_documents() -> None:
    with pytest.raises(TypeError):
        emit(["a"])  # type: ignore[arg-type]
    assert emit({}) == "{}\n"


def test_a_stream_of_documents() -> None:
    text = emit_all([{"a": 1}, {"b": "---"}])
    assert list(yaml.safe_load_all(io.StringIO(text))) == [{"a": 1}, {"b": "---"}]
