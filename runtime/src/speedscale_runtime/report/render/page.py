"""The report as one HTML file: no other file, no network, dark and light, from a phone to paper.

Order of the page is the order of questions: did it pass and why, which goals, how fast, which endpoints, what
differs, what did the mocks do. All data is escaped by construction (`markup`); a Content-Security-Policy with the
hashes of the page's own style and script forbids everything else. Parts of the page are in `sections`, `endpoints`,
`mocks` and `pairs`.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from speedscale_runtime.report.model import Report
from speedscale_runtime.report.render import endpoints, mocks, pairs, sections
from speedscale_runtime.report.render.markup import Html, el, join

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23COLOUR'/%3E%3C/svg%3E"
)
_COLOURS = {"Passed": "1a7f5a", "Missed Goals": "c2323a", "Error": "b35900", "Canceled": "667078"}


def render(report: Report) -> bytes:
    """Return the page, UTF-8."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", f"{report.status}: replay of {report.scenario.get('id', '')}"),
        el("link", rel="icon", href=_ICON.replace("COLOUR", _COLOURS[report.status])),
        el("style", Html(style)),
    )
    body = el("body", *_body(report), el("script", Html(script)))
    return join(Html("<!DOCTYPE html>\n"), el("html", head, body, lang="en")).encode("utf-8") + b"\n"


def _body(report: Report) -> list[Html | None]:
    blocks = [
        ("goals", "Goals", sections.goals(report)),
        ("performance", "Performance", sections.performance(report)),
        ("endpoints", "Endpoints", endpoints.endpoints(report)),
        ("differences", "Differences", pairs.differences(report)),
        ("mocks", "Mocks", mocks.mocks(report)),
        ("notes", "Notes", sections.notes(report)),
    ]
    present = [(key, title, content) for key, title, content in blocks if content is not None]
    links = [el("a", title, href=f"#{key}") for key, title, _ in present]
    toggle = el(
        "button",
        el("span", "Dark", class_="word"),
        type="button",
        id="theme",
        aria_label="Switch to the dark theme",
    )
    return [
        el("a", "Skip to the verdict", href="#verdict", class_="skip"),
        el("header", el("nav", *links, aria_label="Parts of the report"), toggle, class_="bar-top"),
        el(
            "main",
            sections.verdict(report),
            *(el("section", el("h2", title), content, id=key) for key, title, content in present),
        ),
        sections.footer(report),
    ]


@cache
def _asset(name: str) -> str:
    content = (resources.files(__package__) / "assets" / name).read_text("utf-8")
    if "</style" in content.lower() or "</script" in content.lower():
        raise ValueError(f"{name} holds a closing tag")
    return content


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
