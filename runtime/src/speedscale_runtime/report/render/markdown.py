"""The report as a pull-request comment: verdict, goals, endpoints, differences in collapsed parts, mocks.

Short by intent, and never longer than `LIMIT` characters (code hosts cut or refuse comments beyond 65,536):
parts are added while there is room, and the last line says what had to stay out. All data of the run stands in
code spans, so it can neither format, link, mention nor break a table.
"""

from __future__ import annotations

import re

from speedscale_runtime.report.model import Difference, Endpoint, Failure, Mocks, Report
from speedscale_runtime.report.render import words

LIMIT = 60_000
_ENDPOINTS = 15
_DIFFERENCES = 12
_MISSES = 10
_MARKS = {"Passed": "✅", "Missed Goals": "❌", "Error": "⚠️", "Canceled": "⏹️"}


def render(report: Report) -> bytes:
    """Return the Markdown, UTF-8, at most `LIMIT` characters."""
    parts = [_head(report), _goals(report), _endpoints(report)]
    optional = [_failure(f) for f in report.failures]
    if report.mocks is not None:
        optional.insert(0, _mocks(report.mocks))
    if report.notifications:
        parts.append("\n".join(f"> {_plain(n)}  " for n in report.notifications[:8]) + "\n")
    text = "\n".join(parts)
    left_out = 0
    for part in optional:
        if part and len(text) + len(part) < LIMIT - 300:
            text += "\n" + part
        elif part:
            left_out += 1
    left_out += report.failures_left_out
    if left_out:
        text += f"\n_{words.plural(left_out, 'more failing pair')} not shown here; the HTML report has the details._\n"
    return text[:LIMIT].encode("utf-8", "replace")


def _head(report: Report) -> str:
    facts = [f"**{words.pct(report.requests.result_match_pct)}** of answers match"]
    facts.append(f"p50 {words.ms(report.latency.p50)}, p99 {words.ms(report.latency.p99)}")
    if report.recorded_latency.count:
        facts.append(f"recorded p99 {words.ms(report.recorded_latency.p99)}")
    if report.requests.failed:
        facts.append(f"{report.requests.failed:,} without an answer")
    tag = f" for {_code(report.build_tag)}" if report.build_tag else ""
    snapshot = _code(words.snapshot(report))
    return (
        f"## {_MARKS[report.status]} Replay: {report.status}\n\n"
        f"{_plain(report.reason)}\n\n"
        f"{words.headline(report)}{tag}, snapshot {snapshot}: {' · '.join(facts)}\n"
    )


def _goals(report: Report) -> str:
    rows = [
        f"| {'✅' if g.status == 'PASS' else '❌'} | {_code(g.command)} | {_cell(g.expected)} | {_cell(g.actual)} "
        f"| {_cell(g.reason)} |"
        for g in report.goals
    ]
    return "\n".join(["| | Goal | Wanted | Measured | |", "| - | - | - | - | - |", *rows]) + "\n"


def _endpoints(report: Report) -> str:
    shown = report.endpoints[:_ENDPOINTS]
    lines = [
        "| Endpoint | Requests | Match | No answer | p50 | p99 | recorded p99 |",
        "| - | -: | -: | -: | -: | -: | -: |",
        *(_row(e) for e in shown),
    ]
    if len(report.endpoints) > len(shown):
        lines.append(f"\n_{words.plural(len(report.endpoints) - len(shown), 'more endpoint')} in the HTML report._")
    return "\n".join(lines) + "\n"


def _row(e: Endpoint) -> str:
    recorded = words.ms(e.recorded_latency.p99) if e.recorded_latency.count else "–"
    match = words.pct(e.requests.result_match_pct)
    return (
        f"| {_code(e.name)} | {e.requests.total:,} | {match} | {e.requests.failed:,} "
        f"| {words.ms(e.latency.p50)} | {words.ms(e.latency.p99)} | {recorded} |"
    )


def _failure(failure: Failure) -> str:
    alike = f", {failure.same:,} more alike" if failure.same else ""
    title = _html(f"{failure.request.method} {failure.request.url}")
    error = f"No answer: {words.CAUSES.get(failure.error, failure.error)}.\n\n" if failure.error else ""
    rows = [_difference(d) for d in failure.differences[:_DIFFERENCES]]
    table = ""
    if rows:
        table = "\n".join(["| Where | What | Recorded | Replayed |", "| - | - | - | - |", *rows]) + "\n"
    more = len(failure.differences) - len(rows) + failure.differences_left_out
    tail = f"\n_{words.plural(more, 'more difference')}._\n" if more > 0 else ""
    return f"<details><summary><code>{title}</code>{alike}</summary>\n\n{error}{table}{tail}\n</details>\n"


def _difference(d: Difference) -> str:
    what = words.kind(d) if d.fails else f"_{words.kind(d)}, passes_"
    return f"| {_code(words.place(d))} | {what} | {_code(d.recorded)} | {_code(d.replayed)} |"


def _mocks(mocks: Mocks) -> str:
    unused = sum(u.count for u in mocks.unused) + mocks.unused_left_out
    rows = "".join(f"- {who}: {outcome}\n" for who, outcome in words.calls(mocks))
    why = words.unclear(mocks)
    head = f"**Mocks:** {words.mocked(mocks)}; {words.plural(unused, 'recorded answer')} never asked for.\n\n{rows}" + (
        f"\n> {why}\n" if why else ""
    )
    if not mocks.misses:
        return head
    missed = [
        f"| {_code(f'{m.command} {m.host}{m.location}')} | {words.VERDICTS.get(m.verdict, m.verdict)} | "
        f"{words.cause(m, mocks)} | {m.count:,} | {_code(m.nearest or None)} |"
        for m in mocks.misses[:_MISSES]
    ]
    heads = ["| Request | What became of it | Caused by | Times | Nearest mock |", "| - | - | - | -: | - |"]
    table = "\n".join([*heads, *missed])
    return f"{head}\n<details><summary>Requests that no mock answered</summary>\n\n{table}\n\n</details>\n"


def _code(text: str | None, limit: int = 120) -> str:
    """Return data as a code span that fits into a table cell: no line breaks, pipes escaped, fence long enough."""
    if text is None or not text.strip():
        return "–"
    line = re.sub(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    line = line.replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Return our own sentence, with whatever data it quotes, as text that formats nothing."""
    line = _html(text, 600)
    return re.sub(r"([\\`*_\[\]~#@!])", r"\\\1", line)


def _html(text: str, limit: int = 200) -> str:
    return (
        re.sub(r"[\x00-\x1f\x7f]+", " ", text[:limit]).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
