"""Go's durations and time layouts, because users' configurations are written in them.

Source: the packages `time` of Go (ParseDuration, Layout) as documented; `d` for days is the vendor's addition.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.IGNORECASE)

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_TOKENS = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|-07:00|-0700|-07|Z07:00|Z0700|_2|PM|pm|[.,]0+|[.,]9+|01|02|03|04|05|06|15|002"
)
_PATTERNS = {
    "January": r"(?P<month_name>[A-Za-z]+)", "Jan": r"(?P<month_name>[A-Za-z]{3})",
    "Monday": r"[A-Za-z]+", "Mon": r"[A-Za-z]{3}", "MST": r"(?P<zone>[A-Z]{1,5}|[+-]\d\d)",
    "2006": r"(?P<year>\d{4})", "06": r"(?P<year2>\d{2})", "01": r"(?P<month>\d{2})", "02": r"(?P<day>\d{2})",
    "_2": r"(?P<day>[ \d]\d)", "15": r"(?P<hour>\d{2})", "03": r"(?P<hour12>\d{2})", "04": r"(?P<minute>\d{2})",
    "05": r"(?P<second>\d{2})", "PM": r"(?P<half>AM|PM)", "pm": r"(?P<half>am|pm)",
    "-07:00": r"(?P<offset>[+-]\d{2}:\d{2})", "-0700": r"(?P<offset>[+-]\d{4})", "-07": r"(?P<offset>[+-]\d{2})",
    "Z07:00": r"(?P<offset>Z|[+-]\d{2}:\d{2})", "Z0700": r"(?P<offset>Z|[+-]\d{4})", "002": r"(?P<yearday>\d{3})",
}  # fmt: skip

AUTO = (
    "2006-01-02T15:04:05Z07:00",
    "2006-01-02T15:04:05-0700",
    "2006-01-02T15:04:05",
    "2006-01-02 15:04:05 -0700 MST",
    "2006-01-02 15:04:05Z07:00",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04",
    "2006-01-02",
    "Mon, 02 Jan 2006 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 -0700",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon Jan _2 15:04:05 2006",
    "02 Jan 06 15:04 MST",
    "02 Jan 2006",
    "01/02/2006 15:04:05",
    "01/02/2006",
    "2006/01/02 15:04:05",
    "2006/01/02",
    "20060102T150405Z0700",
    "20060102",
)


def duration(value: str) -> float:
    """Return seconds of a Go duration such as `1h30m`, `-2d` or `250ms`; ValueError otherwise."""
    stripped = value.strip()
    sign = -1.0 if stripped.startswith("-") else 1.0
    rest = stripped.lstrip("+-") if stripped[:1] in ("+", "-") else stripped
    if rest == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if not match:
            raise ValueError(f"{value!r} is no duration such as 1h30m, 250ms or 2d")
        total += float(match[1]) * _UNITS[match[2].lower()]
        at = match.end()
    if not rest:
        raise ValueError("an empty duration; write for example 1h30m, 250ms or 2d")
    return sign * total


def parse(layout: str, value: str) -> datetime:
    """Return the time that `value` shows in a Go layout (UTC where it has no zone); ValueError otherwise.

    As in Go, a fraction may follow the seconds even where the layout has none.
    """
    match = _regex(layout).fullmatch(value)
    if not match:
        raise ValueError(f"does not have the layout {layout!r}")
    found = {k: v for k, v in match.groupdict().items() if v is not None}
    return _build(found)


def render(layout: str, when: datetime, like: str = "") -> str:
    """Return `when` in a Go layout; a fraction that `like` has and the layout has not is kept, as long."""
    out: list[str] = []
    at = 0
    fraction = re.search(r":\d\d([.,])(\d+)", like)
    for match in _TOKENS.finditer(layout):
        out += [layout[at : match.start()], _render(match[0], when)]
        at = match.end()
        if match[0] == "05" and fraction and not re.match(r"[.,][09]", layout[at:]):
            out.append(fraction[1] + f"{when.microsecond:06d}000"[: len(fraction[2])])
    return "".join([*out, layout[at:]])


def detect(value: str) -> str | None:
    """Return the first known layout that `value` has, or None."""
    for layout in AUTO:
        try:
            parse(layout, value)
        except ValueError:
            continue
        return layout
    return None


_compiled: dict[str, re.Pattern[str]] = {}


def _regex(layout: str) -> re.Pattern[str]:
    known = _compiled.get(layout)
    if known is not None:
        return known
    parts: list[str] = []
    at = 0
    for match in _TOKENS.finditer(layout):
        parts.append(re.escape(layout[at : match.start()]))
        token = match[0]
        at = match.end()
        if token[0] in ".,":
            digits = rf"[.,](?P<fraction>\d{{{len(token) - 1}}})"
            parts.append(digits if "0" in token else r"(?:[.,](?P<fraction>\d+))?")
        else:
            parts.append(_PATTERNS[token])
            if token == "05" and not re.match(r"[.,][09]", layout[at:]):
                parts.append(r"(?:[.,](?P<fraction>\d+))?")
    try:
        pattern = re.compile("".join([*parts, re.escape(layout[at:])]))
    except re.error as error:
        raise ValueError(f"layout {layout!r} names one part twice") from error
    if len(_compiled) < 256:
        _compiled[layout] = pattern
    return pattern


def _build(found: dict[str, str]) -> datetime:
    year = int(found["year"]) if "year" in found else 0
    if "year2" in found:
        year = int(found["year2"])
        year += 1900 if year >= 69 else 2000
    month = int(found.get("month", "1"))
    if "month_name" in found:
        names = [m for m in _MONTHS if m.casefold().startswith(found["month_name"].casefold())]
        if len(names) != 1:
            raise ValueError("names no month")
        month = _MONTHS.index(names[0]) + 1
    hour = int(found.get("hour", found.get("hour12", "0")))
    if "half" in found:
        hour = hour % 12 + (12 if found["half"].upper() == "PM" else 0)
    micro = int((found.get("fraction", "0") + "000000")[:6])
    when = datetime(
        max(year, 1), month, int(found.get("day", "1")), hour, int(found.get("minute", "0")),
        int(found.get("second", "0")), micro, _zone(found),
    )  # fmt: skip
    return when + timedelta(days=int(found["yearday"]) - 1) if "yearday" in found else when


def _zone(found: dict[str, str]) -> timezone:
    offset = found.get("offset", "Z")
    if offset == "Z":
        return UTC
    digits = offset[1:].replace(":", "") + "00"
    delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return timezone(-delta if offset[0] == "-" else delta)


def _render(token: str, when: datetime) -> str:
    offset = when.utcoffset() or timedelta(0)
    minutes = int(abs(offset.total_seconds())) // 60
    sign = "-" if offset < timedelta(0) else "+"
    if token in ("Z07:00", "Z0700") and not minutes:
        return "Z"
    if token[0] in ".,":
        digits = f"{when.microsecond:06d}000"[: len(token) - 1]
        shown = digits if "0" in token else digits.rstrip("0")
        return token[0] + shown if shown else ""
    table = {
        "January": _MONTHS[when.month - 1], "Jan": _MONTHS[when.month - 1][:3],
        "Monday": _DAYS[when.weekday()], "Mon": _DAYS[when.weekday()][:3],
        "MST": "GMT" if not minutes else f"{sign}{minutes // 60:02d}",
        "2006": f"{when.year:04d}", "06": f"{when.year % 100:02d}", "01": f"{when.month:02d}",
        "02": f"{when.day:02d}", "_2": f"{when.day:2d}", "15": f"{when.hour:02d}",
        "03": f"{(when.hour + 11) % 12 + 1:02d}", "04": f"{when.minute:02d}", "05": f"{when.second:02d}",
        "PM": "PM" if when.hour >= 12 else "AM", "pm": "pm" if when.hour >= 12 else "am",
        "002": f"{when.timetuple().tm_yday:03d}",
    }  # fmt: skip
    if token in table:
        return table[token]
    colon = ":" if ":" in token else ""
    return f"{sign}{minutes // 60:02d}" + ("" if token == "-07" else f"{colon}{minutes % 60:02d}")
