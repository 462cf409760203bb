"""The report as JUnit XML, for the test view of a CI system.

One suite for the goals and one for the endpoints: a test case per goal and endpoint, differences as its text.
Elements and attributes are those that the two common schemas (Ant's and Jenkins') both allow, in the order
they ask for. Control characters that XML 1.0 cannot hold are replaced.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from speedscale_runtime.report.model import Endpoint, Failure, Report
from speedscale_runtime.report.render import words

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINES = 200


def render(report: Report) -> bytes:
    """Return the XML, UTF-8 with a declaration and a final newline."""
    root = ET.Element("testsuites")
    _goals(report, root)
    _endpoints(report, root)
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _suite(root: ET.Element, report: Report, number: int, name: str, seconds: float) -> ET.Element:
    stamp = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", report.started_at)
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": name,
            "package": "speedscale",
            "id": str(number),
            "timestamp": stamp[0] if stamp else "1970-01-01T00:00:00",
            "hostname": "localhost",
            "tests": "0",
            "failures": "0",
            "errors": "0",
            "time": f"{seconds:.3f}",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("report", report.id),
        ("snapshot", str(report.scenario.get("id", ""))),
        ("testConfig", report.config_id),
        ("buildTag", report.build_tag),
    ):
        if value:
            ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    return suite


def _case(suite: ET.Element, name: str, classname: str, seconds: float) -> ET.Element:
    suite.set("tests", str(int(suite.get("tests", "0")) + 1))
    attributes = {"name": _clean(name), "classname": _clean(classname), "time": f"{seconds:.3f}"}
    return ET.SubElement(suite, "testcase", attributes)


def _mark(suite: ET.Element, case: ET.Element, tag: str, message: str, kind: str, text: str) -> None:
    counter = "errors" if tag == "error" else "failures"
    suite.set(counter, str(int(suite.get(counter, "0")) + 1))
    element = ET.SubElement(case, tag, {"message": _clean(message), "type": kind})
    element.text = _clean(text)


def _close(suite: ET.Element, text: str = "") -> None:
    ET.SubElement(suite, "system-out").text = _clean(text)
    ET.SubElement(suite, "system-err")


def _goals(report: Report, root: ET.Element) -> None:
    suite = _suite(root, report, 0, "goals", 0.0)
    run = _case(suite, "run", "goals", 0.0)
    if report.status in ("Error", "Canceled"):
        _mark(suite, run, "error", report.reason, report.status, report.reason)
    for goal in report.goals:
        case = _case(suite, f"{goal.command} {goal.expected}", "goals", 0.0)
        if goal.status == "FAIL":
            text = f"expected {goal.expected}, measured {goal.actual}"
            _mark(suite, case, "failure", text, "goal", f"{text}\n{goal.reason}".strip())
    _close(suite, "\n".join(report.notifications))


def _endpoints(report: Report, root: ET.Element) -> None:
    suite = _suite(root, report, 1, "endpoints", report.load.duration_ms / 1000)
    by_endpoint: dict[str, list[Failure]] = {}
    for failure in report.failures:
        by_endpoint.setdefault(failure.endpoint, []).append(failure)
    for endpoint in report.endpoints:
        case = _case(suite, endpoint.name, "endpoints", endpoint.latency.avg * endpoint.latency.count / 1000)
        failed = endpoint.requests.compared - endpoint.requests.matched
        if failed:
            message = f"{failed} of {words.plural(endpoint.requests.compared, 'request')} differ from the recording"
            kind = "error" if endpoint.requests.failed == endpoint.requests.total else "failure"
            text = _text(by_endpoint.get(endpoint.name, []), endpoint)
            _mark(suite, case, kind, message, "difference", text or message)
    _close(suite)


def _text(failures: list[Failure], endpoint: Endpoint) -> str:
    lines: list[str] = []
    for failure in failures:
        alike = f" (and {failure.same:,} more fail alike)" if failure.same else ""
        lines.append(f"{failure.request.method} {failure.request.url}, pair {failure.index}{alike}")
        if failure.error:
            lines.append(f"  no answer: {words.CAUSES.get(failure.error, failure.error)}")
        for d in failure.differences:
            note = "" if d.fails else " (does not fail)"
            lines.append(f"  {words.place(d)}: {words.kind(d)}{note}: {d.recorded or '–'} → {d.replayed or '–'}")
        if len(lines) > _LINES:
            del lines[_LINES:]
            lines.append("  … more in the HTML report")
            break
    if endpoint.failures_left_out:
        lines.append(f"{endpoint.failures_left_out:,} more failing pairs are counted and not listed")
    return "\n".join(lines)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
