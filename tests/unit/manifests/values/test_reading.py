"""YAML of values files: what is read, and what is refused with line, reason and remedy."""

from __future__ import annotations

import pytest

from speedscale_manifests.values import ValuesError, reading


def refusal(content: bytes | str) -> tuple[str, str, str, int]:
    _, refusals = reading.parse(content, "v.yaml")
    assert len(refusals) == 1, refusals
    found = refusals[0]
    return found.path, found.reason, found.remedy, found.place.line


@pytest.mark.parametrize("content", ["", "---\n", "# only comments\n", "--- # x\n...\n", "null\n", "{}\n"])
def test_a_file_that_says_nothing_is_no_settings(content: str) -> None:
    assert reading.read(content, "v.yaml").tree == {}


def test_values_and_places() -> None:
    layer = reading.read("a:\n  - x: 1\n    y: 1.5\n  - true\nb: ~\nc: '7'\n", "v.yaml")
    assert layer.tree == {"a": [{"x": 1, "y": 1.5}, True], "b": None, "c": "7"}
    assert str(layer.place(("a", 0, "y"))) == "v.yaml:3:5"
    assert str(layer.place(("a", 1))) == "v.yaml:4:5"
    assert str(layer.place(("a", 0, "nothing", "there"))) == "v.yaml:2:5"
    assert layer.raw[("a", 0, "y")] == "1.5"


@pytest.mark.parametrize(
    ("content", "path", "reason", "remedy"),
    [
        ("a: yes", "a", "true to YAML 1.1, text to YAML 1.2", 'write true, or quote it: "yes"'),
        ("a: Off", "a", "false to YAML 1.1", 'write false, or quote it: "Off"'),
        ("a: y", "a", "some YAML readers", 'quote it: "y"'),
        ("a: 0755", "a", "number to YAML 1.1", 'quote it: "0755"'),
        ("a: 0o17", "a", "the number 15 to YAML 1.2", 'quote it: "0o17"'),
        ("a: 0x1F", "a", "number to YAML 1.1", 'quote it: "0x1F"'),
        ("a: 1_000", "a", "number to YAML 1.1", 'quote it: "1_000"'),
        ("a: 22:30", "a", "number to YAML 1.1", 'quote it: "22:30"'),
        ("a: 2026-01-31", "a", "date", 'quote it: "2026-01-31"'),
        ("a: .inf", "a", "no finite number", 'quote it: ".inf"'),
        ("a: .nan", "a", "no finite number", 'quote it: ".nan"'),
        ("8080: x", "8080", "no text to YAML", 'quote it: "8080"'),
        ("on: x", "on", "no text to YAML", 'quote it: "on"'),
        ("a: {~: x}", "a.~", "the key is nothing", 'quote it: "~"'),
        ("a: 1\nb: 2\na: 3", "a", "stands twice, first on line 1", "keep one"),
        ("? [x]\n: y", "", "a key is a map or a list", "keys are text"),
        ("a: {{ .Values.x }}", "a", "a key is a map or a list", "template"),
        ("a: !env HOME", "a", "tag !env is not taken", "plain value"),
        ("a: !!binary aGk=", "a", "tag !!binary is not taken", "plain value"),
        ("a: !!set {x}", "a", "tag !!set is not taken", "plain map"),
        ("- a", "", "expected settings (`key: value`), found a list", "begin with a setting"),
        ("just text", "", "found the text 'just text'", "begin with a setting"),
        ("a: 1\n---\nb: 2", "", "a second document begins here", "one document"),
        ("a:\n\t- b", "", "a tab stands where YAML wants spaces", "spaces"),
        ("a: b: c", "", "a second `: ` in one line", "quote"),
        ("a: @x", "", "reserves", "quote"),
        ("a: *nobody", "", "refers to no anchor", "write the value itself"),
        ("a: [1", "", "this is no YAML", "brackets"),
        ("a: {{ x", "", "a template", "plain"),
        ("a: &x [*x]", "a[0]", "an alias that contains itself", "at most"),
        ("a: 1\x01", "", "this is no YAML", ""),
    ],
)
def test_refusals(content: str, path: str, reason: str, remedy: str) -> None:
    found = refusal(content)
    assert found[0] == path
    assert reason in found[1]
    assert remedy in found[2]


def test_a_refusal_names_line_and_column() -> None:
    _, refusals = reading.parse("a: 1\nb:\n  c: yes\n", "v.yaml")
    assert str(refusals[0].place) == "v.yaml:3:6"


def test_all_problems_are_told_at_once_in_order() -> None:
    _, refusals = reading.parse("a: yes\nb: 0755\na: 2\nc: 1_0\n", "v.yaml")
    assert [found.place.line for found in refusals] == [1, 2, 3, 4]


def test_aliases_and_merge_keys_are_expanded() -> None:
    content = "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\nlist: [*b, *b]\nboth:\n  <<: [{x: 9}, *b]\n"
    tree = reading.read(content, "v.yaml").tree
    assert tree["mine"] == {"y": 3, "x": 1}
    assert tree["list"] == [{"x": 1, "y": 2}, {"x": 1, "y": 2}]
    assert tree["both"] == {"x": 9, "y": 2}


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too many values" in refusal("\n".join(lines))[1]


def test_merge_keys_cannot_multiply_either() -> None:
    lines = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 50)}]" for n in range(1, 5)]
    tree = reading.read("\n".join(lines), "v.yaml").tree
    assert tree["a1"] == {"k": "v"}


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "a: " + "{a: " * 5000, "\n".join(" " * n + "a:" for n in range(500))]
)
def test_depth_is_bounded_before_anything_recursive_runs(content: str) -> None:
    assert "nested deeper than 64 levels" in refusal(content)[1]


def test_size_is_bounded() -> None:
    assert "more than a values file may have" in refusal("# " + "x" * (1 << 20))[1]


def test_bytes_must_be_utf_8() -> None:
    path, reason, remedy, line = refusal(b"a: 1\nb: \xff\n")
    assert (path, line) == ("", 2)
    assert "no UTF-8" in reason
    assert "UTF-8" in remedy
    assert reading.read("\ufeffa: ü\n".encode(), "v.yaml").tree == {"a": "ü"}


def test_read_raises_with_every_problem() -> None:
    with pytest.raises(ValuesError) as caught:
        reading.read("a: yes\nb: no\n", "v.yaml")
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("v.yaml:1:4: a: yes without quotes")
