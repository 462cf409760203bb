"""The page's plots: inline SVG of our own that keeps its text size at every width.

Bars are SVG in percent units inside HTML tables, so that the numbers are text; lines are drawn into a box that
stretches. Colours come from the style sheet by class. Used by the page only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speedscale_runtime.report.model import Interval, Latency
from speedscale_runtime.report.render import words
from speedscale_runtime.report.render.markup import Html, el, join

QUANTILES = ("p50", "p75", "p90", "p95", "p99")
_WIDTH, _HEIGHT = 1000, 100


def bar(share: float, css: str) -> Html:
    """Return a bar that fills `share` (0 to 1) of its cell; what is not zero is always visible."""
    width = 0.0 if share <= 0 else max(0.6, min(1.0, share) * 100)
    return el(
        "svg", el("rect", width=f"{width:.2f}%", height="100%", rx=2, class_=css), class_="bar", aria_hidden="true"
    )


def percentiles(recorded: Latency, replayed: Latency) -> Html:
    """Return a table of quantiles with two bars each: recorded above, replayed below."""
    values = [getattr(side, q) for side in (recorded, replayed) for q in QUANTILES if side.count]
    top = max(values, default=0.0) or 1.0
    rows = []
    for q in (*QUANTILES, "max"):
        before, after = getattr(recorded, q), getattr(replayed, q)
        bars = join(
            bar(before / top, "recorded") if recorded.count else None,
            bar(after / top, "replayed") if replayed.count else None,
        )
        rows.append(
            el(
                "tr",
                el("th", q, scope="row"),
                el("td", None if q == "max" else bars, class_="bars"),
                el("td", words.ms(before) if recorded.count else "–", class_="num soft"),
                el("td", words.ms(after) if replayed.count else "–", class_="num"),
                el(
                    "td",
                    change(before, after) if recorded.count and replayed.count else "",
                    class_="num soft change",
                ),
            )
        )
    head = el(
        "tr",
        el("th", el("span", "quantile", class_="hidden")),
        el("td", ""),
        el("th", "recorded", class_="num key recorded", scope="col"),
        el("th", "replayed", class_="num key replayed", scope="col"),
        el("td", "", class_="change"),
    )
    return el("table", el("thead", head), el("tbody", *rows), class_="plot")


def change(before: float, after: float) -> str:
    """Return how much larger the second value is: `+12 %`, `×3.1`, `±0 %`."""
    if before <= 0:
        return ""
    ratio = after / before
    if ratio >= 2:
        return f"×{ratio:.1f}"
    difference = round((ratio - 1) * 100)
    return "±0 %" if difference == 0 else f"{difference:+d} %".replace("-", "−")


def counts(recorded: Mapping[str, int], replayed: Mapping[str, int]) -> Html:
    """Return a table of status codes with recorded and replayed counts; a side that has none is left out."""
    names = sorted({*recorded, *replayed})
    top = max([*recorded.values(), *replayed.values()], default=1)
    rows = [
        el(
            "tr",
            el("th", el("span", name, class_=f"code c{name[:1]}"), scope="row"),
            el(
                "td",
                bar(recorded.get(name, 0) / top, "recorded") if recorded else None,
                bar(replayed.get(name, 0) / top, "replayed"),
                class_="bars",
            ),
            el("td", f"{recorded.get(name, 0):,}", class_="num soft") if recorded else None,
            el("td", f"{replayed.get(name, 0):,}", class_="num"),
        )
        for name in names
    ]
    head = el(
        "tr",
        el("th", el("span", "status code", class_="hidden")),
        el("td", ""),
        el("th", "recorded", class_="num key recorded", scope="col") if recorded else None,
        el("th", "replayed", class_="num key replayed", scope="col"),
    )
    return el("table", el("thead", head), el("tbody", *rows), class_="plot")


def passes(assertions: Mapping[str, Mapping[str, int]], names: Mapping[str, str]) -> Html:
    """Return a table of assertions: which share passed, how many did not."""
    rows = []
    for name, sums in assertions.items():
        total = sums["passed"] + sums["failed"]
        share = sums["passed"] / total if total else 0.0
        rows.append(
            el(
                "tr",
                el("th", names.get(name, name), scope="row"),
                el("td", bar(share, "good" if share == 1 else "replayed"), class_="bars"),
                el("td", words.pct(share * 100), class_="num"),
                el("td", f"{sums['failed']:,} failed" if sums["failed"] else "", class_="num bad"),
            )
        )
    return el("table", el("tbody", *rows), class_="plot")


def over_time(slices: Sequence[Interval]) -> Html:
    """Return two plots on one time axis: latency quantiles, and requests a second with those without an answer."""
    end = slices[-1].start_s + slices[-1].width_s
    top_ms = max((s.quantiles.get("p99", 0.0) for s in slices), default=0.0) or 1.0
    top_rate = max(max(s.requests / s.width_s for s in slices), 1.0)
    lines = [
        el("polyline", points=points, class_=f"line {q}")
        for q in ("p99", "p50")
        for points in _segments(slices, q, top_ms, end)
    ]
    bars = []
    for s in slices:
        x, width = s.start_s / end * _WIDTH, max(s.width_s / end * _WIDTH * 0.86, 0.5)
        for count, css in ((s.requests, "replayed"), (s.errors, "failed")):
            if count:
                height = count / s.width_s / top_rate * _HEIGHT
                bars.append(_rect(x, _HEIGHT - height, width, height, css))
    hovers = [
        el(
            "rect",
            el("title", _spoken(s)),
            x=f"{s.start_s / end * _WIDTH:.1f}",
            y="0",
            width=f"{s.width_s / end * _WIDTH:.1f}",
            height=_HEIGHT,
            class_="hover",
        )
        for s in slices
    ]
    return join(
        _panel(
            "Latency", words.ms(top_ms), [*lines, *hovers], ("p99", "p50"), f"p99 and p50, up to {words.ms(top_ms)}"
        ),
        _panel(
            "Requests",
            words.rate(top_rate),
            [*bars, *hovers],
            ("answered", "failed"),
            f"up to {words.rate(top_rate)}",
        ),
        el("div", el("span", "0 s"), el("span", words.seconds(end * 1000)), class_="axis"),
    )


def _panel(title: str, top: str, shapes: Sequence[Html], keys: Sequence[str], spoken: str) -> Html:
    legend = join(*(el("span", key, class_=f"key {key}") for key in keys))
    grid = [el("line", x1=0, x2=_WIDTH, y1=y, y2=y, class_="grid") for y in (0, 50, 100)]
    svg = el(
        "svg",
        *grid,
        *shapes,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title} over time: {spoken}",
    )
    head = el("figcaption", el("b", title), el("span", legend, class_="legend"), el("span", top, class_="top"))
    return el("figure", head, svg, class_="time")


def _segments(slices: Sequence[Interval], quantile: str, top: float, end: float) -> list[str]:
    """Return the points of a line, broken where no request ended."""
    segments: list[list[str]] = [[]]
    for s in slices:
        if quantile not in s.quantiles:
            segments.append([])
            continue
        x = (s.start_s + s.width_s / 2) / end * _WIDTH
        segments[-1].append(f"{x:.1f},{_HEIGHT - s.quantiles[quantile] / top * _HEIGHT:.2f}")
    result = []
    for points in segments:
        if len(points) == 1:
            at, height = points[0].split(",")
            points = [f"{float(at) - 2:.1f},{height}", f"{float(at) + 2:.1f},{height}"]
        if points:
            result.append(" ".join(points))
    return result


def _rect(x: float, y: float, width: float, height: float, css: str) -> Html:
    return el("rect", x=f"{x:.1f}", y=f"{y:.2f}", width=f"{width:.2f}", height=f"{height:.2f}", class_=css)


def _spoken(s: Interval) -> str:
    quantiles = ", ".join(f"{q} {words.ms(s.quantiles[q])}" for q in ("p50", "p95", "p99") if q in s.quantiles)
    errors = f", {s.errors:,} without an answer" if s.errors else ""
    return f"{s.start_s:.0f} s: {words.rate(s.requests / s.width_s)}{errors}{', ' + quantiles if quantiles else ''}"


def card(title: str, content: Html, note: str = "", css: str = "") -> Html:
    """Return a plot, or a table of numbers, with a title above it and a note."""
    said = el("p", note, class_="soft note") if note else None
    return el("div", el("h3", title), content, said, class_=f"card {css}".strip())
