"""What people read of a comparison: figures, what nothing explains, rights withheld, and reasons."""

from __future__ import annotations

import json

import pytest

from speedscale_manifests.parity import markdown, text
from speedscale_manifests.parity.compare import compare_facts
from speedscale_manifests.parity.deviations import parse
from speedscale_manifests.parity.flatten import Facts
from speedscale_manifests.parity.outcome import Outcome, data, lines, shown, withheld

LISTED = parse(
    """
renames:
- {object: DaemonSet/speedscale-nettap, to: DaemonSet/nettap, kind: ours, reason: As documented.}
deviations:
- {id: fewer-rights, objects: Rights/*, paths: '*', change: missing, kind: security, reason: Nothing needs them.}
- {id: narrower, objects: Rights/*, paths: '*', change: differing, kind: security, reason: Own namespace only.}
- {id: port, objects: Service/*, paths: '*', change: differing, kind: ours, reason: No capability is needed.}
- {id: jobs, objects: Job/*, change: missing, kind: not-needed, reason: The controller does it.}
"""
)
VENDOR: Facts = {
    "Service/s": {"port": 443, "type": "ClusterIP"},
    "Job/j": {"x": 1},
    "Rights/op": {
        "core/pods create": ["everywhere"],
        "core/pods delete": ["everywhere"],
        "core/secrets get": ["everywhere"],
        "core/nodes get": ["everywhere"],
    },
}
OURS: Facts = {
    "Service/s": {"port": 9443, "type": "ClusterIP"},
    "Rights/op": {"core/secrets get": ["in speedscale"], "core/nodes get": ["everywhere"]},
}


def outcome(ours: Facts = OURS, stale: tuple[str, ...] = ()) -> Outcome:
    reports = {case: compare_facts(VENDOR, ours, LISTED) for case in ("one", "two")}
    return Outcome(reports, stale, ("apiKey is not taken over",))


def test_good_means_explained_and_nothing_stale() -> None:
    assert outcome().good
    assert not outcome(stale=("deviation 'x' explains nothing any more",)).good
    assert not outcome({**OURS, "Pod/p": {"x": 1}}).good


def test_figures_of_a_case() -> None:
    assert outcome().counts("one") == {"equal": 2, "differing": 2, "missing": 3, "extra": 0, "unexplained": 0}


def test_a_difference_of_two_cases_is_one_line() -> None:
    found = lines(outcome(), explained=True)
    assert {line.cases for line in found} == {("one", "two")}
    assert len(found) == 5


def test_withheld_rights_are_listed_by_resource() -> None:
    never, narrower = withheld(outcome())
    assert (never.account, never.resource, never.never, never.narrower) == ("op", "core/pods", ("create", "delete"), ())
    assert (narrower.resource, narrower.never, narrower.narrower) == ("core/secrets", (), ("get: in speedscale",))
    assert (narrower.why, narrower.cases) == (("narrower",), ("one", "two"))


def test_an_account_that_is_missing_wholly_is_withheld_wholly() -> None:
    (found,) = withheld(Outcome({"one": compare_facts({"Rights/op": VENDOR["Rights/op"]}, {}, LISTED)}))
    assert (found.resource, found.never) == ("everything", ("everything",))


def test_text_tells_figures_rights_reasons_and_the_verdict() -> None:
    told = text.text(outcome())
    assert "op       core/pods     create delete" in told
    assert "get: in speedscale" in told
    assert "      2 rights, see above" in told
    assert "port: No capability is needed." in told
    assert "~ Service/s port: 443 → 9443" in told
    assert "- Job/j" in told
    assert "apiKey is not taken over" in told
    assert told.endswith("explained by the reviewed list.")


def test_text_tells_what_nothing_explains_first() -> None:
    told = text.text(outcome({**OURS, "Service/s": {"port": 443}, "Pod/p": {"x": 1}}))
    assert "NOT EXPLAINED (2)" in told
    assert "  Service/s\n    - type: ClusterIP" in told
    assert told.index("NOT EXPLAINED") < told.index("security:")
    assert told.splitlines()[-1].startswith("Not at parity.")


def test_stale_entries_are_named() -> None:
    assert "  deviation 'x' explains nothing any more" in text.text(
        outcome(stale=("deviation 'x' explains nothing any more",))
    )


def test_json_holds_every_difference() -> None:
    found = json.loads(json.dumps(data(outcome())))
    differences = found["cases"]["one"]["differences"]
    assert len(differences) == 5
    port = next(d for d in differences if d["object"] == "Service/s")
    assert port == {
        "object": "Service/s",
        "path": "port",
        "change": "differing",
        "section": "other",
        "chart": 443,
        "ours": 9443,
        "deviation": "port",
        "kind": "ours",
        "reason": "No capability is needed.",
    }
    assert found["good"] is True


def test_markdown_has_reasons_rights_and_renames() -> None:
    page = markdown.page(outcome(), LISTED)
    assert "| op | core/pods | create delete |  | [fewer-rights](#fewer-rights) | all |" in page
    assert "| `Service/s` | `port` | 443 | 9443 |" in page
    assert "| `DaemonSet/speedscale-nettap` | `DaemonSet/nettap` | ours | As documented. |" in page
    assert "### jobs" in page


@pytest.mark.parametrize(
    ("value", "expected"), [(True, "true"), ("", '""'), ([1, "a"], "1, a"), ("x" * 99, "x" * 69 + "…"), ({}, "{}")]
)
def test_values_for_people(value: object, expected: str) -> None:
    assert shown(value) == expected
