"""The parts of the HTML page but the differences: verdict, goals, performance, endpoints, mocks, notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from speedscale_runtime.report.model import Endpoint, MissedMock, Mocks, Report, Shown
from speedscale_runtime.report.render import plots, words
from speedscale_runtime.report.render.markup import Html, el, join
from speedscale_runtime.report.structure import shown

_MARKS = {"Passed": "✓", "Missed Goals": "✕", "Error": "!", "Canceled": "■"}
_TITLES = {"Passed": "Passed", "Missed Goals": "Missed goals", "Error": "Error", "Canceled": "Canceled"}
_WHOLE = 300
"""Endpoints with plots of their own; beyond, a row each keeps the page small. Those that fail come first."""

_ASSERTIONS = {
    "httpStatusCode": "status code",
    "httpHeaders": "headers",
    "httpResponseCookies": "cookies",
    "httpResponseBody": "body",
    "httpResponseSchema": "schema",
    "httpResponseContentType": "content type",
}


def verdict(report: Report) -> Html:
    """Return the top of the page: passed or not, why, and the numbers that say it."""
    css = report.status.split()[0].lower()
    facts = [
        words.headline(report),
        f"snapshot {words.snapshot(report)}" if words.snapshot(report) else "",
        f"build {report.build_tag}" if report.build_tag else "",
        f"test config {report.config_id}" if report.config_id else "",
    ]
    return el(
        "div",
        el("div", _MARKS[report.status], class_="mark", aria_hidden="true"),
        el(
            "div",
            el("h1", _TITLES[report.status]),
            el("p", _sentence(report.reason), class_="why"),
            el("p", *(el("span", fact) for fact in facts if fact), class_="facts"),
        ),
        _figures(report),
        class_=f"verdict {css}",
        id="verdict",
    )


def _sentence(text: str) -> str:
    """Return a reason as a sentence; a metric at its start keeps its letters."""
    first = text.split(" ", 1)[0]
    start = text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text
    return _symbols(start) + ("" if start.endswith((".", "!")) else ".")


def _symbols(text: str) -> str:
    return text.replace(">=", "≥").replace("<=", "≤").replace("!=", "≠")


def _figures(report: Report) -> Html:
    r = report.requests
    figures = [
        ("Answers that match", words.pct(r.result_match_pct), f"{r.matched:,} of {r.compared:,}"),
        ("Answered", words.pct(r.response_pct), f"{r.failed:,} without an answer" if r.failed else "every request"),
    ]
    if report.latency.count:
        recorded = report.recorded_latency
        beside = f"{words.ms(recorded.p99)} when recorded" if recorded.count else f"p50 {words.ms(report.latency.p50)}"
        figures.append(("Latency p99", words.ms(report.latency.p99), beside))
    offered = report.load.offered_rate
    beside = f"{words.rate(offered)} offered" if offered is not None else words.seconds(report.load.duration_ms)
    figures.append(("Throughput", words.rate(r.per_second), beside))
    if report.mocks is not None:
        told = report.mocks.told_apart
        counted = told or report.mocks
        beside = f"{counted.matched:,} of {words.plural(counted.total, 'call')}" + (" of the tests" if told else "")
        figures.append(("Mocks that matched", words.pct(counted.accuracy), beside))
    return el(
        "dl",
        *(el("div", el("dt", name), el("dd", value), el("dd", note, class_="soft")) for name, value, note in figures),
        class_="figures",
    )


def goals(report: Report) -> Html:
    """Return one line a goal."""
    rows = [
        el(
            "li",
            el("span", "✓" if g.status == "PASS" else "✕", class_="sign", aria_hidden="true"),
            el("span", "met" if g.status == "PASS" else "missed", class_="hidden"),
            el("code", g.command),
            el("span", "wanted ", el("b", _symbols(g.expected)), class_="wanted"),
            el("span", "measured ", el("b", g.actual), class_="measured"),
            el("span", g.reason, class_="reason") if g.reason else None,
            class_="met" if g.status == "PASS" else "missed",
        )
        for g in report.goals
    ]
    return el("ul", *rows, class_="goals")


def performance(report: Report) -> Html | None:
    """Return the plots: quantiles, status codes, assertions, and the run over time."""
    cards = []
    if report.latency.count:
        note = "From the moment a request was due, so waiting counts too."
        cards.append(_card("Latency", plots.percentiles(report.recorded_latency, report.latency), note))
    if report.status_codes or report.recorded_status_codes:
        cards.append(_card("Status codes", plots.counts(report.recorded_status_codes, report.status_codes)))
    if len(report.timeline) > 2:
        width = report.timeline[0].width_s
        note = f"Each point is the largest value of {width:.0f} seconds." if width > 1 else ""
        cards.append(_card("Over time", plots.over_time(report.timeline), note, css="wide"))
    if report.assertions:
        cards.append(_card("Assertions", plots.passes(report.assertions, _ASSERTIONS)))
    if report.errors:
        cards.append(_card("Errors by cause", _errors(report)))
    return el("div", *cards, class_="cards") if cards else None


def _card(title: str, content: Html, note: str = "", css: str = "") -> Html:
    said = el("p", note, class_="soft note") if note else None
    return el("div", el("h3", title), content, said, class_=f"card {css}".strip())


def _errors(report: Report) -> Html:
    sums: dict[str, int] = {}
    where: dict[str, set[str]] = {}
    for error in report.errors:
        sums[error.cause] = sums.get(error.cause, 0) + error.count
        where.setdefault(error.cause, set()).add(error.endpoint)
    top = max(sums.values())
    rows = [
        el(
            "tr",
            el("th", words.CAUSES.get(cause, cause), scope="row"),
            el("td", plots.bar(count / top, "failed"), class_="bars"),
            el("td", f"{count:,}", class_="num"),
            el("td", words.plural(len(where[cause]), "endpoint"), class_="num soft"),
        )
        for cause, count in sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    ]
    return el("table", el("tbody", *rows), class_="plot")


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
    parts = [_card("Status codes", plots.counts(e.recorded_status_codes, e.status_codes))]
    if e.latency.count:
        parts.append(_card("Latency", plots.percentiles(e.recorded_latency, e.latency)))
    if e.assertions:
        parts.append(_card("Assertions", plots.passes(e.assertions, _ASSERTIONS)))
    if e.shown:
        parts.append(_card("Differs without failing", _shown(e.shown)))
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


def mocks(report: Report) -> Html | None:
    """Return what the responder answered, missed, and was never asked."""
    m = report.mocks
    if m is None:
        return None
    numbers = [
        ("matched", m.matched),
        ("not found", m.missed),
        ("passed through", m.passthrough),
        ("faults injected", m.faults),
        ("recorded answers never asked for", sum(u.count for u in m.unused) + m.unused_left_out),
    ]
    line = el(
        "p",
        *(el("span", el("b", f"{n:,}"), f" {name}") for name, n in numbers if n or name == "matched"),
        class_="facts",
    )
    parts: list[Html | None] = [line]
    if m.told_apart is not None:
        rows = [el("tr", el("th", who), el("td", outcome)) for who, outcome in words.calls(m)]
        parts.append(el("table", el("tbody", *rows), class_="plain"))
    elif why := words.unclear(m):
        parts.append(el("p", why, class_="soft"))
    if m.misses:
        parts.append(el("h3", "Requests that no mock answered"))
        parts.append(el("div", *(_miss(miss, m) for miss in m.misses), class_="misses"))
        if m.misses_left_out:
            parts.append(el("p", f"{m.misses_left_out:,} more requests were not found.", class_="soft"))
    parts.append(_unused(m))
    parts += [
        el("p", f"{words.plural(count, 'recorded answer')} could not be served: {reason}.", class_="soft")
        for reason, count in m.unservable.items()
    ]
    return join(*parts)


def _miss(miss: MissedMock, of: Mocks) -> Html:
    body: list[Any] = []
    if miss.nearest:
        body.append(el("p", "The nearest recorded answer is for ", el("code", miss.nearest), "."))
    if miss.differences:
        rows = [_mock_difference(d) for d in miss.differences]
        head = el("tr", el("th", "Signature key"), el("th", "Mock"), el("th", "Request"))
        body.append(el("table", el("thead", head), el("tbody", *rows), class_="plain"))
    if miss.reason:
        body.insert(0, el("p", _sentence(miss.reason)))
    if not body:
        body.append(el("p", "No recorded answer resembles it.", class_="soft"))
    by = f", by {words.cause(miss, of)}" if of.told_apart is not None else ""
    verdict_word = words.VERDICTS.get(miss.verdict, miss.verdict)
    summary = el(
        "summary",
        el("span", miss.command, class_="method"),
        el("span", f"{miss.host}{miss.location}", class_="path"),
        el("span", f"{verdict_word}, {miss.count:,} ×{by}", class_="soft"),
    )
    return el("details", summary, el("div", *body, class_="inside"))


def _mock_difference(d: Mapping[str, Any]) -> Html:
    key = " ".join(str(d[k]) for k in ("key", "path") if d.get(k))
    cells = [d.get("recorded"), d.get("asked")]
    values = ((c if isinstance(c, str) else shown(c)) if c is not None else None for c in cells)
    return el(
        "tr", el("td", el("code", key)), *(el("td", el("code", v) if v is not None else "absent") for v in values)
    )


def _unused(m: Mocks) -> Html | None:
    if not m.unused:
        return None
    rows = [
        el("tr", el("td", el("span", u.command, class_="method")), el("td", el("code", f"{u.host}{u.location}")))
        for u in m.unused
    ]
    total = sum(u.count for u in m.unused) + m.unused_left_out
    more = el("p", f"{m.unused_left_out:,} more are not listed.", class_="soft") if m.unused_left_out else None
    title = el("summary", f"{words.plural(total, 'recorded answer')} never asked for")
    return el("details", title, el("div", el("table", el("tbody", *rows), class_="plain"), more, class_="inside"))


def notes(report: Report) -> Html:
    """Return what else there is to say, and the test config that was used."""
    config = json.dumps(report.actual_config, ensure_ascii=False, indent=2)
    load = report.load
    facts = [
        ("Targets", ", ".join(report.targets)),
        ("Started", report.started_at),
        ("Duration", words.seconds(load.duration_ms)),
        ("Requests sent", f"{words.rate(load.achieved_rate)}" if load.achieved_rate is not None else ""),
        ("Dropped", f"{load.dropped:,}" if load.dropped else ""),
        ("Generator CPU", f"{load.cpu_seconds:.1f} s" if load.cpu_seconds is not None else ""),
        ("Generator memory", words.size(load.rss_bytes) if load.rss_bytes else ""),
        ("Report", report.id),
    ]
    return join(
        el("ul", *(el("li", n) for n in report.notifications), class_="notes") if report.notifications else None,
        el("dl", *(el("div", el("dt", k), el("dd", v)) for k, v in facts if v), class_="about"),
        el("details", el("summary", "Test config"), el("pre", config, class_="inside", tabindex=0)),
    )


def footer(report: Report) -> Html:
    """Return the last line."""
    return el("footer", el("p", "Recorded and replayed side by side; the same results file gives the same report."))
