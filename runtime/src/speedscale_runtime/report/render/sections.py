"""The parts of the HTML page that say how the run went: verdict, goals, performance, notes.

Endpoints, mocks and differences have modules of their own.
"""

from __future__ import annotations

import json

from speedscale_runtime.report.model import Report
from speedscale_runtime.report.render import plots, words
from speedscale_runtime.report.render.markup import Html, el, join

_MARKS = {"Passed": "✓", "Missed Goals": "✕", "Error": "!", "Canceled": "■"}
_TITLES = {"Passed": "Passed", "Missed Goals": "Missed goals", "Error": "Error", "Canceled": "Canceled"}


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
            el("p", words.sentence(report.reason), class_="why"),
            el("p", *(el("span", fact) for fact in facts if fact), class_="facts"),
        ),
        _figures(report),
        class_=f"verdict {css}",
        id="verdict",
    )


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
            el("span", "wanted ", el("b", words.symbols(g.expected)), class_="wanted"),
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
        cards.append(plots.card("Latency", plots.percentiles(report.recorded_latency, report.latency), note))
    if report.status_codes or report.recorded_status_codes:
        cards.append(plots.card("Status codes", plots.counts(report.recorded_status_codes, report.status_codes)))
    if len(report.timeline) > 2:
        width = report.timeline[0].width_s
        note = f"Each point is the largest value of {width:.0f} seconds." if width > 1 else ""
        cards.append(plots.card("Over time", plots.over_time(report.timeline), note, css="wide"))
    if report.assertions:
        cards.append(plots.card("Assertions", plots.passes(report.assertions, words.ASSERTIONS)))
    if report.errors:
        cards.append(plots.card("Errors by cause", _errors(report)))
    return el("div", *cards, class_="cards") if cards else None


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
