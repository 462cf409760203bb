"""The HTML report in a real browser: quiet, offline, usable by keyboard, on a phone and on paper."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import report as reports

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _results() -> Any:
    """Load the maker of results files that the unit tests use."""
    path = Path(__file__).parents[1] / "unit/runtime/report/conftest.py"
    spec = importlib.util.spec_from_file_location("results_of_our_own", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a run with failures, and one endpoint whose name tries to be markup."""
    folder = tmp_path_factory.mktemp("report")
    maker = _results()
    results = maker.shop(maker.Results(folder / "run"))
    evil = "</script><img src=http://evil.example/x onerror=\"document.title='owned'\">"
    results.pair(
        f"GET /{evil}", maker.doc("GET", f"/{evil}", 200, {evil: evil}), maker.doc("GET", f"/{evil}", 200, {evil: 1})
    )
    wide = {f"key_{i}": "x" * 500 for i in range(30)}
    results.pair(
        "GET /wide",
        maker.doc("GET", "/wide/" + "a" * 400, 200, wide),
        maker.doc("GET", "/wide", 200, {**wide, "key_7": "y" * 500}),
    )
    path = folder / "report.html"
    path.write_bytes(reports.render(reports.build(results.write()), "html"))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start one Chromium for all tests of this module; skip where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def opened(browser: Any, page_file: Path) -> Iterator[Opened]:
    """Open the page at 1280 pixels, and close it afterwards."""
    one = Opened(browser, page_file)
    yield one
    one.context.close()


def test_it_loads_without_a_word_and_without_the_network(opened: Opened, page_file: Path) -> None:
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert opened.page.title() == "Missed Goals: replay of shop"
    assert opened.page.locator("img").count() == 0


def test_the_verdict_is_seen_at_once(opened: Opened) -> None:
    assert opened.page.locator("h1").inner_text() == "Missed goals"
    box = opened.page.locator("#verdict").bounding_box()
    assert box["y"] + box["height"] < 500
    assert "requests.result-match-pct" in opened.page.locator(".why").inner_text()


def test_the_theme_follows_the_system_until_it_is_switched(browser: Any, page_file: Path) -> None:
    one = Opened(browser, page_file, color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = one.page.evaluate(colour)
    one.page.get_by_role("button", name="Switch to the light theme").click()
    light = one.page.evaluate(colour)
    assert dark != light
    one.page.reload()
    assert one.page.evaluate(colour) == light
    one.page.get_by_role("button", name="Switch to the dark theme").click()
    assert one.page.evaluate(colour) == dark
    assert one.said == []
    one.context.close()


def test_the_filter_narrows_endpoints_and_differences(opened: Opened) -> None:
    page = opened.page
    rows, pairs = page.locator(".endpoint:visible"), page.locator(".pair:visible")
    every, all_pairs = rows.count(), pairs.count()
    page.keyboard.press("/")
    page.keyboard.type("post orders")
    assert (rows.count(), pairs.count()) == (1, 1)
    assert page.locator("#count").inner_text() == f"1 of {every}"
    page.locator("#filter").fill("no such thing")
    assert rows.count() == 0
    assert page.locator("#none").is_visible()
    page.keyboard.press("Escape")
    assert (rows.count(), pairs.count()) == (every, all_pairs)
    page.get_by_role("button", name="Failing").click()
    assert 0 < rows.count() < every
    assert page.get_by_role("button", name="Failing").get_attribute("aria-pressed") == "true"


def test_a_difference_opens_by_keyboard_and_shows_both_sides(opened: Opened) -> None:
    second = opened.page.locator(".pair").nth(1)
    assert second.get_attribute("open") is None
    second.locator("> summary").focus()
    opened.page.keyboard.press("Enter")
    assert second.get_attribute("open") is not None
    assert second.locator(".sides").is_visible()
    first = opened.page.locator(".pair").first
    changed = first.locator(".l.type code").all_inner_texts()
    assert [text.strip() for text in changed] == ['"total": 59.7,', '"total": "59.70",']
    assert first.locator(".l.volatile").count() == 1


def test_an_endpoint_leads_to_its_difference(opened: Opened) -> None:
    row = opened.page.locator(".endpoint", has_text="/recommendations")
    row.locator("> summary").click()
    row.get_by_role("link", name="See what differs").click()
    pair = opened.page.locator(".pair", has_text="/recommendations")
    assert pair.get_attribute("open") is not None
    assert pair.locator("> summary").evaluate("e => e === document.activeElement")


def test_everything_is_reached_by_tab_with_a_visible_focus(opened: Opened) -> None:
    seen = set()
    for _ in range(80):
        opened.page.keyboard.press("Tab")
        seen.add(opened.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"A", "theme", "filter", "SUMMARY", "BUTTON"} <= seen
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    opened.page.locator("#theme").focus()
    opened.page.keyboard.press("Shift+Tab")
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate(outline) == "solid"


@pytest.mark.parametrize("width", [375, 320, 768, 1280])
def test_nothing_is_wider_than_the_window(browser: Any, page_file: Path, width: int) -> None:
    one = Opened(browser, page_file, viewport={"width": width, "height": 800})
    one.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = """(width) => [...document.querySelectorAll('main *')]
        .filter((e) => e.getBoundingClientRect().right > width + 1 && !e.closest('.lines, pre, svg'))
        .map((e) => e.className || e.tagName)"""
    assert one.page.evaluate(beyond, width) == []
    one.context.close()


_CONTRAST = """() => {
    // Colours come as rgb(0-255) or, where they were mixed, as color(srgb 0-1), both with an optional alpha.
    const parts = (c) => {
        const n = c.match(/[\\d.]+/g).map(Number);
        const scale = c.startsWith('color(') ? 1 : 255;
        return { rgb: n.slice(0, 3).map((v) => v / scale), alpha: n.length > 3 ? n[3] : 1 };
    };
    const over = (top, below) => top.rgb.map((v, i) => v * top.alpha + below[i] * (1 - top.alpha));
    const behind = (e) => {
        if (!e) return [1, 1, 1];
        const own = parts(getComputedStyle(e).backgroundColor);
        return own.alpha === 1 ? own.rgb : over(own, behind(e.parentElement));
    };
    const lum = (rgb) => {
        const [r, g, b] = rgb.map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const bad = [];
    for (const e of document.querySelectorAll('main *, nav a')) {
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
        if (!e.offsetParent || e.closest('.hidden')) continue;
        const below = behind(e);
        const [high, low] = [lum(over(parts(getComputedStyle(e).color), below)), lum(below)].sort((x, y) => y - x);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) bad.push(`${e.className || e.tagName}: ${e.textContent.slice(0, 20)} ${ratio.toFixed(2)}`);
    }
    return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(browser: Any, page_file: Path, scheme: str) -> None:
    one = Opened(browser, page_file, color_scheme=scheme)
    assert one.page.evaluate(_CONTRAST) == []
    one.context.close()


def test_paper_shows_the_differences_without_the_buttons(opened: Opened) -> None:
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".pair[open]").count() == opened.page.locator(".pair").count()
    assert not opened.page.locator("#theme").is_visible()
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator(".pair[open]").count() == 1
    assert opened.page.pdf()[:5] == b"%PDF-"


def test_it_can_be_read_without_javascript(browser: Any, page_file: Path) -> None:
    one = Opened(browser, page_file, java_script_enabled=False)
    assert one.page.locator("h1").inner_text() == "Missed goals"
    one.page.locator(".pair").nth(1).locator("> summary").click()
    assert one.page.locator(".pair").nth(1).locator(".diffs, .sides").first.is_visible()
    one.context.close()
