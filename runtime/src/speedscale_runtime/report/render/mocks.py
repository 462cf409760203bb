"""The part of the HTML page about mocks: what was answered, what was missed and by what, what was never asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_runtime.report.model import MissedMock, Mocks, Report
from speedscale_runtime.report.render import words
from speedscale_runtime.report.render.markup import Html, el, join
from speedscale_runtime.report.structure import shown


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
        body.insert(0, el("p", words.sentence(miss.reason)))
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
