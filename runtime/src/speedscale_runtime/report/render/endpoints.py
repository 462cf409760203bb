"""The part of the HTML page about endpoints: a filter, a row each, the failing ones first, and what is behind a row."""

from __future__ import annotations

from speedscale_runtime.report.model import Endpoint, Report, Shown
from speedscale_runtime.report.render import plots, words
from speedscale_runtime.report.render.markup import Html, el, join

_WHOLE = 300
"""Endpoints with plots of their own; beyond, a row each keeps the page small. Those that fail come first."""


def endpoints(report: Report) -> Html:
    """Return the filter and the list of endpoints, the failing ones first."""
    if not report.endpoints:
        return el("p", "No request was sent.", class_="soft")
    failing = sum(_state(e) == "failing" for e in report.endpoints)
    controls = el(
        "div",
        el(
            "label",
            el("span", "Filter endpoints and differences", class_="hidden"),
            el(
                "input",
                type="search",
                id="filter",
                placeholder="Filter by method, path or status code",
                autocomplete="off",
            ),
        ),
        el(
            "div",
            el("button", f"All {len(report.endpoints):,}", type="button", data_show="all", aria_pressed="true"),
            el("button", f"Failing {failing:,}", type="button", data_show="failing", aria_pressed="false"),
            role="group",
            aria_label="Which endpoints",
            class_="choice",
        ),
        el("p", "", id="count", class_="soft", role="status"),
        class_="controls",
    )
    head = el(
        "div",
        el("span", "Endpoint"),
        *(el("span", name, class_="num") for name in ("Requests", "Match", "No answer", "p50", "p99", "Recorded p99")),
        class_="row head",
        aria_hidden="true",
    )
    rows = [_endpoint(e, whole=n < _WHOLE) for n, e in enumerate(report.endpoints)]
    none = el("p", "No endpoint fits the filter.", class_="soft none", id="none", hidden=True)
    return join(controls, el("div", head, *rows, none, class_="endpoints"))


def _state(e: Endpoint) -> str:
    return "failing" if e.requests.matched < e.requests.compared or e.requests.failed else "passing"


def _endpoint(e: Endpoint, *, whole: bool) -> Html:
    state = _state(e)
    recorded = e.recorded_latency
    cells = [
        ("Requests", f"{e.requests.total:,}", ""),
        (
            "Match",
            words.pct(e.requests.result_match_pct),
            "bad" if e.requests.matched < e.requests.compared else "",
        ),
        ("No answer", f"{e.requests.failed:,}", "bad" if e.requests.failed else "soft"),
        ("p50", words.ms(e.latency.p50) if e.latency.count else "–", ""),
        ("p99", words.ms(e.latency.p99) if e.latency.count else "–", ""),
        ("Recorded p99", words.ms(recorded.p99) if recorded.count else "–", "soft"),
    ]
    method, _, path = e.name.partition(" ")
    name = el(
        "span",
        el("span", "✓" if state == "passing" else "✕", class_="sign", aria_hidden="true"),
        el("span", "passing" if state == "passing" else "failing", class_="hidden"),
        el("span", method, class_="method") if path else None,
        el("span", path or method, class_="path"),
        class_="name",
    )
    summary = el(
        "summary",
        name,
        *(
            el("span", el("span", label, class_="label"), el("span", value), class_=f"num {css}".strip())
            for label, value, css in cells
        ),
        class_="row",
    )
    searched = f"{e.name} {' '.join(e.status_codes)}".lower()
    more = _endpoint_more(e) if whole else el("div", el("p", "The JSON report has the details.", class_="soft"))
    return el("details", summary, more, class_=f"endpoint {state}", data_search=searched, data_state=state)


def _endpoint_more(e: Endpoint) -> Html:
    parts = [plots.card("Status codes", plots.counts(e.recorded_status_codes, e.status_codes))]
    if e.latency.count:
        parts.append(plots.card("Latency", plots.percentiles(e.recorded_latency, e.latency)))
    if e.assertions:
        parts.append(plots.card("Assertions", plots.passes(e.assertions, words.ASSERTIONS)))
    if e.shown:
        parts.append(plots.card("Differs without failing", _shown(e.shown)))
    more = ""
    if e.failures_left_out:
        more = f"{words.plural(e.failures_left_out, 'more failing pair')} of other kinds are counted and not shown."
    link = el("a", "See what differs", href="#differences", data_goto=e.name) if e.failures_kept else None
    return el(
        "div", el("div", *parts, class_="cards"), el("p", link, " ", more, class_="soft") if link or more else None
    )


def _shown(every: tuple[Shown, ...]) -> Html:
    rows = [
        el(
            "tr",
            el("th", el("code", f"{words.PLACES.get(s.place, s.place)} {s.path}"), scope="row"),
            el(
                "td",
                words.PATTERNS.get(s.pattern, words.KINDS[s.kind]) if s.kind == "volatile" else words.KINDS[s.kind],
            ),
            el("td", f"{s.count:,} ×", class_="num soft"),
        )
        for s in every
    ]
    return el("table", el("tbody", *rows), class_="plain volatile-list")
