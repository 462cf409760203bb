"""The four formats of a report: one function from a Report to bytes for each. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Literal, get_args

from speedscale_runtime.report.model import Report

Format = Literal["json", "html", "junit", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)
FILE_NAMES: dict[str, str] = {
    "json": "report.json",
    "html": "report.html",
    "junit": "report.xml",
    "markdown": "report.md",
}
_MODULES: dict[str, str] = {"json": "document", "html": "page", "junit": "junit", "markdown": "markdown"}


def render(report: Report, form: Format) -> bytes:
    """Return the report in one format, UTF-8; ValueError for a format that does not exist."""
    if form not in _MODULES:
        raise ValueError(f"no report format {form!r}; there are {', '.join(FORMATS)}")
    to_bytes: Callable[[Report], bytes] = import_module(f"{__name__}.{_MODULES[form]}").render
    return to_bytes(report)
