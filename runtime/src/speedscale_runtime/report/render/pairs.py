"""The part of the HTML page that shows what differs: each failing pair with both answers beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_runtime.report.model import Difference, Failure, Message, Report
from speedscale_runtime.report.render import words
from speedscale_runtime.report.render.markup import Html, el, join
from speedscale_runtime.report.render.sidebyside import Row, folded, rows

_SIGNS = {"changed": "≠", "missing": "−", "added": "+", "type": "≠", "volatile": "≈", "ignored": "·", "equal": ""}
_TABLE = 20


def differences(report: Report) -> Html:
    """Return the failing pairs, the first of them open."""
    if not report.failures:
        said = "Every compared answer matches its recording."
        if report.failures_left_out or report.requests.failed:
            said = "No pair was kept: low-data mode counts answers and does not keep them."
        elif not report.requests.total:
            said = "Nothing was compared."
        return el("p", said, class_="soft")
    unordered = _ignores_order(report.actual_config)
    alike = sum(f.same for f in report.failures)
    said = f"{words.plural(len(report.failures), 'failing pair')} of different kinds"
    if alike:
        said += f"; {alike:,} more fail in the same places"
    rest = report.failures_left_out - alike
    if rest > 0:
        said += f"; {rest:,} more are counted and not shown"
    legend = el(
        "p",
        *(
            el("span", el("span", sign, class_="sign"), f" {name}", class_=css)
            for sign, name, css in (
                ("≠", "changed", "changed"),
                ("−", "missing", "missing"),
                ("+", "new", "added"),
                ("≈", "changes by itself, does not fail", "volatile"),
                ("·", "left out by the test config", "ignored"),
            )
        ),
        class_="legend",
    )
    cards = [_pair(f, n == 0, unordered) for n, f in enumerate(report.failures)]
    return join(el("p", said + ".", class_="soft"), legend, *cards)


def _ignores_order(config: Mapping[str, Any]) -> bool:
    entries = [c for g in config.get("assertionGroups") or () if isinstance(g, Mapping) for c in g.get("configs") or ()]
    return any(
        isinstance(c, Mapping) and str((c.get("config") or {}).get("ignoreOrder", "")).lower() == "true"
        for c in entries
    )


def _pair(failure: Failure, opened: bool, unordered: bool) -> Html:
    failing = [d for d in failure.differences if d.fails]
    summary = el(
        "summary",
        el("span", failure.request.method, class_="method"),
        el("span", failure.request.url, class_="path"),
        el("span", _in_short(failure, failing), class_="short"),
        el("span", f"+{failure.same:,} alike", class_="soft") if failure.same else None,
    )
    parts: list[Html | None] = []
    if failure.error:
        cause = words.CAUSES.get(failure.error, failure.error)
        parts.append(el("p", "No answer: ", el("b", cause), ".", class_="bad"))
    parts += [_table(failure), _both(failure, unordered), _request(failure)]
    searched = " ".join(
        (failure.endpoint, failure.request.method, failure.request.url, failure.replayed.status)
    ).lower()
    return el(
        "details",
        summary,
        el("div", *parts, class_="inside"),
        class_="pair",
        open=opened,
        data_search=searched,
        data_endpoint=failure.endpoint,
    )


def _in_short(failure: Failure, failing: list[Difference]) -> str:
    if failure.error:
        return "no answer"
    for d in failing:
        if d.place == "status":
            return f"{d.recorded} → {d.replayed}"
    if len(failing) == 1:
        return f"{words.kind(failing[0])}: {words.place(failing[0])}"
    return words.plural(len(failing) + failure.differences_left_out, "difference")


def _table(failure: Failure) -> Html | None:
    if not failure.differences:
        return None
    listed = [_line(d) for d in failure.differences]
    head = el("tr", *(el("th", name, scope="col") for name in ("Where", "What", "Recorded", "Replayed")))
    first = el("table", el("thead", head), el("tbody", *listed[:_TABLE]), class_="diffs")
    rest = None
    if len(listed) > _TABLE:
        title = el("summary", words.plural(len(listed) - _TABLE, "more difference"))
        rest = el("details", title, el("table", el("tbody", *listed[_TABLE:]), class_="diffs"))
    left = failure.differences_left_out
    more = el("p", f"{words.plural(left, 'more difference')} not listed.", class_="soft") if left else None
    return join(first, rest, more)


def _line(d: Difference) -> Html:
    css = d.kind if d.fails else f"{d.kind} passes"
    what = words.kind(d) if d.fails else f"{words.kind(d)}, does not fail"
    return el(
        "tr",
        el(
            "th",
            el("span", _SIGNS[d.kind], class_="sign", aria_hidden="true"),
            el("code", words.place(d)),
            scope="row",
        ),
        el("td", what, class_="what"),
        el("td", el("code", d.recorded) if d.recorded is not None else "–", data_label="Recorded"),
        el("td", el("code", d.replayed) if d.replayed is not None else "–", data_label="Replayed"),
        class_=css,
    )


def _both(failure: Failure, unordered: bool) -> Html | None:
    a, b = failure.recorded, failure.replayed
    if not a.body and not b.body:
        return el("p", "The bodies are left out to keep this page small.", class_="soft") if a.cut or b.cut else None
    every = rows(a, b, failure.differences, ignore_order=unordered)
    parts: list[Html] = []
    for fold, run in folded(every):
        lines = join(*(_row(row) for row in run))
        if fold:
            lines = el("details", el("summary", f"{words.plural(len(run), 'equal line')}"), lines, class_="fold")
        parts.append(lines)
    head = el("div", _side("Recorded", a), _side("Replayed", b), class_="sides")
    return el(
        "div",
        head,
        el("div", *parts, class_="lines", tabindex=0, role="group", aria_label="Both bodies"),
        class_="both",
    )


def _side(name: str, message: Message) -> Html:
    kind = {"json": "JSON", "xml": "XML", "html": "HTML", "empty": "no body"}.get(message.body_kind, message.body_kind)
    facts = [message.status or "no answer", kind, words.size(message.body_bytes)]
    if message.cut:
        facts.append("cut for this page")
    return el("div", el("b", name), *(el("span", fact) for fact in facts))


def _row(row: Row) -> Html:
    css = f"l {row.kind}" + ("" if row.fails or row.kind in ("equal", "ignored") else " passes")
    if row.kind == "equal" and row.left == row.right:
        return el("div", el("code", row.left or ""), el("code", row.right or ""), class_=css)
    note = words.PATTERNS.get(row.note) if row.note else None
    left, right = _marked(row.left, row.right) if row.kind in ("changed", "volatile") else (row.left, row.right)
    return el(
        "div",
        el("code", left if left is not None else "", class_="none" if left is None else None),
        el("code", right if right is not None else "", class_="none" if right is None else None),
        class_=css,
        data_sign=_SIGNS.get(row.kind),
        title=note,
    )


def _marked(left: str | None, right: str | None) -> tuple[Any, ...]:
    """Mark the middle of two lines between their common ends."""
    if left is None or right is None or left == right:
        return left, right
    head, limit = 0, min(len(left), len(right))
    while head < limit and left[head] == right[head]:
        head += 1
    tail = 0
    while tail < limit - head and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    if not tail:  # a comma that follows on one side only is no difference
        return tuple(
            join(side[:head], el("mark", side[head:].removesuffix(",")), "," if side.endswith(",") else "")
            for side in (left, right)
        )
    return tuple(
        join(side[:head], el("mark", side[head : len(side) - tail]), side[len(side) - tail :]) for side in (left, right)
    )


def _request(failure: Failure) -> Html:
    request = failure.request
    body = el("pre", request.body, tabindex=0) if request.body else None
    facts = [
        f"endpoint {failure.endpoint}",
        f"pair {failure.index}",
        f"vUser {failure.vuser}",
        f"iteration {failure.iteration}",
    ]
    if failure.session:
        facts.append(f"session {failure.session[:40]}")
    if not failure.error:
        facts.append(words.ms(failure.latency_ms))
    return el(
        "details",
        el("summary", "Request and headers"),
        el("p", *(el("span", fact) for fact in facts), class_="facts soft"),
        el(
            "div",
            _headers("Request headers", request.headers),
            _headers("Recorded headers", failure.recorded.headers),
            _headers("Replayed headers", failure.replayed.headers),
            class_="cards",
        ),
        body,
    )


def _headers(title: str, headers: Mapping[str, list[str]]) -> Html | None:
    if not headers:
        return None
    items = [el("div", el("dt", name), el("dd", ", ".join(values))) for name, values in sorted(headers.items())]
    return el("div", el("h3", title), el("dl", *items, class_="headers"), class_="card")
