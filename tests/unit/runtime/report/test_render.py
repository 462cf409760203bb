"""The four formats: valid, bounded, and deaf to what hostile data tries to say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime import report as reports
from speedscale_runtime.report.model import Difference, Message
from speedscale_runtime.report.render import markdown, markup, sidebyside, words
from speedscale_schemas.validation import check

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "</style></title><svg/onload=alert(1)>",
    "]]><!--",
    "| a | b |\n| - | - |",
    "```\n# heading\n@everyone #1 [x](http://x)",
    "\x00\x01\x1b[31m\u202e\u2066",
    "<details open ontoggle=alert(1)>",
    "${alert(1)}{{7*7}}",
]


@pytest.fixture
def hostile(results: Any, shop: Any) -> reports.Report:
    """Return a report in which every text that comes from outside is hostile."""
    shop(results)
    for n, text in enumerate(HOSTILE):
        pair = json.loads(json.dumps(results.pairs[40]))
        pair["endpoint"] = f"GET {text}"
        pair["session"] = text
        for side, value in (("recorded", text), ("replayed", text + "x")):
            request, response = pair[side]["http"]["req"], pair[side]["http"]["res"]
            request |= {"uri": f"/{text}", "method": text}
            request["headers"] = {text: [text]}
            response["headers"] = {
                text: [text],
                "Content-Type": [["text/html", "application/json", "text/plain"][n % 3]],
            }
            response["bodyBase64"] = _coded(json.dumps({text: value}) if n % 3 == 1 else value)
        results.pairs.append(pair)
    text = HOSTILE[0]
    results.run |= {"id": text, "snapshot": text, "buildTag": text, "startedAt": text, "targets": [text]}
    results.run["skipped"] = [{"reason": text, "pairs": 1}]
    results.config |= {"id": text, "description": HOSTILE[1]}
    results.end["why"] = text
    nearest = {
        "command": text,
        "location": text,
        "host": text,
        "differences": [{"key": text, "recorded": text, "asked": text}],
    }
    miss = {"type": "mock", "verdict": "NO_MATCH", "command": text, "location": text, "host": text, "tech": text}
    results.mocks.insert(1, {**miss, "reason": text, "nearest": [nearest]})
    results.mocks.insert(1, {"type": "unused", "command": text, "location": text, "host": text})
    return reports.build(results.write())


def _coded(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


class Page(HTMLParser):
    """Collects every element and attribute, and whether tags are balanced."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "rect", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID or (tag == "rect" and attrs and dict(attrs).get("class") == "hover"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


def parsed(page: str) -> Page:
    reader = Page()
    reader.feed(page)
    return reader


def test_hostile_data_makes_no_element_and_no_attribute(hostile: reports.Report) -> None:
    page = parsed(reports.render(hostile, "html").decode())
    assert not page.unbalanced
    assert not page.open
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert tags.count("style") == 1
    assert "img" not in tags
    assert "title" in tags
    handlers = [(t, k) for t, a in page.elements for k in a if k.startswith("on") or k == "autofocus" or k == "style"]
    assert handlers == []
    for tag, attributes in page.elements:
        for name in ("href", "src", "action", "data", "xlink:href"):
            if name in attributes:
                value = attributes[name] or ""
                assert value.startswith("#") or (tag == "link" and value.startswith("data:image/svg+xml,")), (
                    tag,
                    value,
                )


def test_the_page_asks_the_network_for_nothing(hostile: reports.Report) -> None:
    page = reports.render(hostile, "html").decode()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_policy_names_the_pages_own_script(results: Any, shop: Any) -> None:
    import base64
    import hashlib

    page = reports.render(reports.build(shop(results).write()), "html").decode()
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"sha256-{digest}" in page


def test_the_verdict_comes_first_and_parts_follow_in_order(results: Any, shop: Any) -> None:
    page = reports.render(reports.build(shop(results).write()), "html").decode()
    order = [
        "Missed goals",
        'id="goals"',
        'id="performance"',
        'id="endpoints"',
        'id="differences"',
        'id="mocks"',
        'id="notes"',
    ]
    places = [page.index(mark) for mark in order]
    assert places == sorted(places)
    assert "≥ 95 %" in page


@pytest.mark.parametrize("status", ["Passed", "Error", "Canceled"])
def test_every_state_has_a_page(results: Any, shop: Any, status: str) -> None:
    shop(results)
    results.config["rules"] = ["latency.p99 > 100000"]
    if status == "Error":
        results.end = None
    if status == "Canceled":
        results.end |= {"cancelled": True, "ok": False}
    made = reports.build(results.write())
    assert made.status == status
    page = parsed(reports.render(made, "html").decode())
    assert not page.unbalanced
    assert (f"verdict {status.lower()}") in [a.get("class") for _, a in page.elements]


def test_an_empty_run_has_a_page(results: Any) -> None:
    for form in reports.FORMATS:
        assert reports.render(reports.build(results.write()), form)


def test_json_is_what_the_schema_says(hostile: reports.Report) -> None:
    document = json.loads(reports.render(hostile, "json"))
    assert check("report", document) == []
    assert document["status"] == "Missed Goals"
    assert document["scenario"]["meta"]["name"] == HOSTILE[0]


def test_junit_has_the_elements_of_the_common_schemas(hostile: reports.Report) -> None:
    root = ET.fromstring(reports.render(hostile, "junit"))
    assert root.tag == "testsuites"
    for suite in root:
        assert [c.tag for c in suite if c.tag != "testcase"] == ["properties", "system-out", "system-err"]
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "-1")) == len(cases)
        assert int(suite.get("failures", "-1")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "-1")) == len(suite.findall("testcase/error"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        assert re.fullmatch(r"\d+\.\d{3}", suite.get("time", ""))
        for case in cases:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1
    goals = root.findall("testsuite[@name='goals']/testcase")
    assert goals[0].get("name") == "run"


def test_junit_says_what_differs(results: Any, shop: Any) -> None:
    root = ET.fromstring(reports.render(reports.build(shop(results).write()), "junit"))
    failure = root.find(".//testcase[@name='POST /orders']/failure")
    assert failure is not None
    assert 'body total: type changed: 59.7 → "59.70"' in (failure.text or "")


def test_markdown_stays_below_the_limit_of_comments(results: Any) -> None:
    body = {f"key{i}": "x" * 300 for i in range(14)}
    for n in range(40):
        pair = {
            "command": "GET",
            "duration": 1,
            "http": {
                "req": {"method": "GET", "uri": f"/p{n}"},
                "res": {"statusCode": 200, "bodyBase64": _coded(json.dumps(body))},
            },
        }
        other = json.loads(json.dumps(pair))
        other["http"]["res"]["bodyBase64"] = _coded(json.dumps(dict.fromkeys(body, "y" * 300)))
        results.pair(f"GET /p{n}", pair, other)
    made = reports.build(results.write())
    text = reports.render(made, "markdown").decode()
    assert len(text) <= markdown.LIMIT
    assert "not shown here" in text
    assert text.count("<details>") == text.count("</details>")


def test_hostile_data_cannot_leave_its_code_span(hostile: reports.Report) -> None:
    text = reports.render(hostile, "markdown").decode()
    outside = re.sub(r"(`+)(?:(?!\1).)*?[^`]\1(?!`)", "", text)
    for tag in ("<script", "<img", "<svg", "onerror=alert(1)>"):
        assert tag not in outside
    for line in text.splitlines():
        if line.startswith("| ") and "Endpoint" not in line:
            cells = re.sub(r"\\\|", "", line).count("|")
            assert cells in (5, 6, 8), line


@given(st.text(max_size=80))
def test_any_text_is_one_code_span(text: str) -> None:
    span = markdown._code(text)
    assert "\n" not in span
    if span != "–":
        fence = re.match(r"`+", span)
        assert fence is not None
        assert span.endswith(fence[0])
        inside = span[len(fence[0]) : -len(fence[0])]
        assert fence[0] not in re.findall(r"`+", inside)


@given(st.text(max_size=200))
def test_any_text_is_escaped(text: str) -> None:
    page = Page()
    page.feed(f"<p>{markup.text(text)}</p>")
    assert [tag for tag, _ in page.elements] == ["p"]


def rows(a: Any, b: Any, *differences: Difference) -> list[sidebyside.Row]:
    def side(value: Any) -> Message:
        return Message(body=json.dumps(value, indent=2), body_kind="json")

    return sidebyside.rows(side(a), side(b), differences)


def test_json_stands_side_by_side_with_its_marks() -> None:
    found = rows(
        {"a": 1, "gone": [1], "same": {"x": 1}},
        {"a": 2, "same": {"x": 1}, "new": True},
        Difference("body", "a", "changed", "1", "2"),
        Difference("body", "gone", "missing", "[1]", None),
        Difference("body", "new", "added", None, "true", fails=False),
    )
    assert [(r.left, r.right, r.kind) for r in found] == [
        ("{", "{", "equal"),
        ('  "a": 1,', '  "a": 2,', "changed"),
        ('  "gone": [', None, "missing"),
        ("    1", None, "missing"),
        ("  ],", None, "missing"),
        ('  "same": {', '  "same": {', "equal"),
        ('    "x": 1', '    "x": 1', "equal"),
        ("  }", "  },", "equal"),
        (None, '  "new": true', "added"),
        ("}", "}", "equal"),
    ]
    assert not found[-2].fails


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    ).flatmap(lambda a: st.tuples(st.just(a), st.just(a) | st.integers() | st.lists(st.integers(), max_size=3)))
)
def test_the_left_side_read_downwards_is_the_recorded_document(pair: tuple[Any, Any]) -> None:
    recorded, replayed = pair
    lines = rows(recorded, replayed)
    assert json.loads("\n".join(r.left for r in lines if r.left is not None)) == recorded
    assert json.loads("\n".join(r.right for r in lines if r.right is not None)) == replayed


def test_equal_lines_far_from_a_difference_are_folded() -> None:
    a = {f"k{i:02}": i for i in range(40)}
    found = list(sidebyside.folded(rows(a, {**a, "k20": 0}, Difference("body", "k20", "changed", "20", "0"))))
    assert [(fold, len(run)) for fold, run in found] == [(True, 18), (False, 7), (True, 17)]


def test_numbers_are_written_for_people() -> None:
    assert [words.ms(v) for v in (0.123, 12.34, 123.4, 12345)] == ["0.12 ms", "12.3 ms", "123 ms", "12.3 s"]
    assert [words.seconds(v) for v in (14, 3200, 125_000, 3_840_000)] == ["14 ms", "3.2 s", "2 min 5 s", "1 h 4 min"]
    assert [words.pct(v) for v in (None, 100.0, 99.999, 50.0)] == ["–", "100 %", "99.99 %", "50 %"]
    assert [words.size(v) for v in (10, 2048, 5 << 20)] == ["10 B", "2.0 KiB", "5.0 MiB"]
