"""Numbers and places as people read them; shared by the Markdown, JUnit and HTML renderers."""

from __future__ import annotations

from speedscale_runtime.report.model import Difference, MissedMock, MockCalls, Mocks, Report

PLACES = {
    "status": "status",
    "header": "header",
    "cookie": "cookie",
    "contentType": "content type",
    "body": "body",
    "schema": "schema",
}
KINDS = {
    "changed": "changed",
    "missing": "missing",
    "added": "new",
    "type": "type changed",
    "volatile": "changes by itself",
}
VERDICTS = {"NO_MATCH": "not found", "PASSTHROUGH": "passed through"}
PATTERNS = {
    "date": "a date or time",
    "uuid": "a UUID",
    "jwt": "a JWT",
    "id": "a random id",
    "token": "a random token",
    "redacted": "redacted when it was recorded",
    "replaced": "replaced by the replay",
}
ASSERTIONS = {
    "httpStatusCode": "status code",
    "httpHeaders": "headers",
    "httpResponseCookies": "cookies",
    "httpResponseBody": "body",
    "httpResponseSchema": "schema",
    "httpResponseContentType": "content type",
}
CAUSES = {
    "refused": "connection refused",
    "reset": "connection reset",
    "timeout": "no answer in time",
    "connect-timeout": "no connection in time",
    "tls": "TLS handshake failed",
    "dns": "name not found",
    "closed": "connection closed before the answer was complete",
    "protocol": "the answer is no HTTP",
    "unreachable": "host unreachable",
    "oversize": "the answer is too large",
    "cancelled": "the run ended first",
    "transform": "the request could not be built",
    "not sent": "not sent",
    "httpStatusCode": "other status code",
    "httpHeaders": "other headers",
    "httpResponseCookies": "other cookies",
    "httpResponseBody": "other body",
    "httpResponseSchema": "other schema",
    "httpResponseContentType": "other content type",
}


def ms(value: float) -> str:
    """Return a duration in milliseconds with three digits at most, in seconds from ten seconds on."""
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    if value >= 100:
        return f"{value:,.0f} ms"
    return f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def seconds(milliseconds: float) -> str:
    """Return the length of a run: `14 ms`, `3.2 s`, `2 min 5 s`, `1 h 4 min`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    total = milliseconds / 1000
    if total < 60:
        return f"{total:.1f} s"
    whole = round(total)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def pct(value: float | None) -> str:
    """Return a share with at most two decimals; a dash where there is none."""
    if value is None:
        return "–"
    return f"{int(value * 100) / 100:.2f}".rstrip("0").rstrip(".") + " %"


def rate(value: float) -> str:
    """Return requests a second."""
    return f"{value:,.0f}/s" if value >= 100 else f"{value:,.1f}/s"


def size(count: float) -> str:
    """Return bytes in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def place(difference: Difference) -> str:
    """Return where a difference is: `body items[0].id`, `status`."""
    where = PLACES.get(difference.place, difference.place)
    return where if difference.path in (where, "$") else f"{where} {difference.path}"


def kind(difference: Difference) -> str:
    """Return how it differs, with the reason for a value that changes by itself."""
    if difference.kind == "volatile":
        return PATTERNS.get(difference.pattern, KINDS["volatile"])
    return KINDS[difference.kind]


def snapshot(report: Report) -> str:
    """Return what was replayed: the snapshot's name with the start of its id, or whichever of the two there is."""
    identity = str(report.scenario.get("id") or "")
    name = str((report.scenario.get("meta") or {}).get("name") or "")
    if not name or name == identity:
        return identity
    return f"{name} ({identity[:8]})" if identity else name


def headline(report: Report) -> str:
    """Return the sentence under the verdict: what was replayed and how it went."""
    r = report.requests
    parts = [f"{plural(r.total, 'request')} to {plural(len(report.endpoints), 'endpoint')}"]
    if report.load.duration_ms:
        parts.append(f"in {seconds(report.load.duration_ms)}")
    return " ".join(parts)


def mocked(mocks: Mocks) -> str:
    """Return in a few words how many of the calls that count were answered: of the tests', where these are known."""
    told = mocks.told_apart
    if told is None:
        return f"{pct(mocks.accuracy)} of {plural(mocks.total, 'call')} matched"
    return f"{pct(told.accuracy)} of {plural(told.total, 'call')} that the tests caused matched"


def calls(mocks: Mocks) -> list[tuple[str, str]]:
    """Return who called the mocks and what became of it: a row for the tests and one for other traffic, or one."""
    told = mocks.told_apart
    if told is None:
        every = MockCalls(mocks.total, mocks.matched, mocks.missed, mocks.passthrough)
        return [("All calls", _outcome(every))]
    other = MockCalls(
        mocks.total - told.total,
        mocks.matched - told.matched,
        mocks.missed - told.missed,
        mocks.passthrough - told.passthrough,
    )
    return [("Caused by the tests", _outcome(told)), ("Other traffic", _outcome(other))]


def cause(miss: MissedMock, mocks: Mocks) -> str:
    """Return who caused requests that no mock answered; a dash where that is not known."""
    return "the tests" if miss.by_tests else "other traffic" if mocks.told_apart is not None else "–"


def unclear(mocks: Mocks) -> str:
    """Return why calls cannot be told apart where they should be; empty where they can, or nothing is to be told."""
    if mocks.by_tests is None or mocks.by_tests.total or not mocks.missed + mocks.passthrough:
        return ""
    return (
        "Calls of other traffic count among these: none bears the replay's mark in its baggage header, so either no "
        "test caused any, or the application does not pass baggage on (OpenTelemetry does)."
    )


def _outcome(of: MockCalls) -> str:
    became = f"{of.matched:,} matched, {of.passthrough:,} passed through, {of.missed:,} not found"
    return f"{plural(of.total, 'call')}: {became}"


def sentence(text: str) -> str:
    """Return a reason as a sentence; a metric at its start keeps its letters."""
    first = text.split(" ", 1)[0]
    start = text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text
    return symbols(start) + ("" if start.endswith((".", "!")) else ".")


def symbols(text: str) -> str:
    """Return a comparison with the signs of print."""
    return text.replace(">=", "≥").replace("<=", "≤").replace("!=", "≠")
