"""A list of deviations that is not as it must be is refused with every reason."""

from __future__ import annotations

import pytest

from speedscale_manifests.parity import deviations
from speedscale_schemas.errors import ConfigError

GOOD = """\
limits: {entries: 1}
deviations:
- {id: a, objects: Job/*, change: missing, kind: gitops, reason: Hooks run once only.}
"""


def test_an_entry_for_one_case_fits_there_and_in_renders_of_ones_own() -> None:
    (entry,) = deviations.parse(GOOD.replace("id: a,", "id: a, cases: [full],")).entries
    fits = {case: entry.fits("Job/x", "(object)", "missing", case=case) is not None for case in ("full", "alt", "")}
    assert fits == {"full": True, "alt": False, "": True}


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        deviations.parse(text)
    return caught.value.problems


def test_a_good_list() -> None:
    found = deviations.parse(GOOD)
    assert found.limits == {"entries": 1}
    assert found.entries[0].fits("Job/x", "(object)", "missing", None) == ("Job/*", "(object)")
    assert found.entries[0].fits("Job/x", "spec", "missing", None) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind: gitops", "kind: whim", "deviations[0].kind: 'whim': expected one of security"),
        ("change: missing", "change: gone", "deviations[0].change: 'gone': expected one of missing"),
        ("Hooks run once only.", "Hooks", "deviations[0].reason: expected one sentence"),
        ("objects: Job/*", "object: Job/*", "did you mean 'objects'?"),
        ("id: a, ", "", "key 'id' is missing"),
        ("limits", "limit", "limit: unknown key"),
        ("id: a,", "id: a, cases: [fulll],", "deviations[0].cases: 'fulll': expected some of default, full"),
    ],
)
def test_what_is_refused(old: str, new: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(GOOD.replace(old, new)))


def test_every_problem_is_told_at_once_and_names_the_file() -> None:
    found = problems(GOOD.replace("kind: gitops", "kind: x").replace("change: missing", "change: y"))
    assert len(found) == 2
    assert all(problem.startswith("deviations.yaml: deviations[0].") for problem in found)


def test_an_id_stands_once() -> None:
    twice = GOOD + GOOD.splitlines()[-1] + "\n"
    assert problems(twice) == ("deviations.yaml: 'a': the id stands twice; ids name one entry each",)


@pytest.mark.parametrize(
    "text", ["renames:\n- {object: A/b, kind: ours, reason: X.}\n", "renames:\n- {to: A/b, kind: ours, reason: X.}\n"]
)
def test_a_rename_needs_both_names(text: str) -> None:
    assert any("is missing" in problem for problem in problems(text))
