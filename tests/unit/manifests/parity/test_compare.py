"""Each way in which two installations can differ is found, named, and explained only by an entry that fits."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests.parity.compare import Difference, Report, compare, compare_facts, stale
from speedscale_manifests.parity.deviations import Deviations, parse

ITEM = "ConfigMap/speedscale-operator"
RIGHTS = "Rights/speedscale-operator"


def listed(text: str = "") -> Deviations:
    return parse(text)


def entry(**changes: Any) -> str:
    keys = {"id": "one", "objects": ITEM, "paths": "*", "change": "missing", "kind": "ours", "reason": "So it is."}
    body = "\n".join(f"  {key}: {value!r}" for key, value in {**keys, **changes}.items())
    return "-" + body[1:] + "\n"


def against(vendor: dict[str, Any], ours: dict[str, Any], text: str = "") -> Report:
    return compare_facts({ITEM: vendor}, {ITEM: ours}, listed(text))


def told(report: Report) -> list[tuple[str, str]]:
    return [(d.change, d.path) for d in report.differences]


def test_equal_fields_are_counted_by_section() -> None:
    report = against({"data[A]": "1", "data[B]": "2"}, {"data[A]": "1", "data[B]": "2"})
    assert report.equal == {"02": 2}
    assert report.differences == ()


@pytest.mark.parametrize(
    ("vendor", "ours", "change"),
    [
        ({"data[A]": "1"}, {}, "missing"),
        ({}, {"data[A]": "1"}, "extra"),
        ({"data[A]": "1"}, {"data[A]": "2"}, "differing"),
    ],
)
def test_a_field_that_is_not_the_same(vendor: dict[str, Any], ours: dict[str, Any], change: str) -> None:
    report = against(vendor, ours)
    assert told(report) == [(change, "data[A]")]
    assert report.unexplained == report.differences
    assert {"missing": report.missing, "extra": report.extra, "differing": report.differing}[
        change
    ] == report.differences
    assert sum(report.equal.values()) == 0


def test_whole_objects() -> None:
    report = compare_facts({"Job/a": {"x": 1, "y": 2}}, {"Role/b": {"x": 1}}, listed())
    assert [(d.item, d.change, d.path, d.section) for d in report.differences] == [
        ("Job/a", "missing", "(object)", "07"),
        ("Role/b", "extra", "(object)", "other"),
    ]


def test_an_empty_object_equals_one_that_gained_members_but_not_an_absent_one() -> None:
    assert told(against({"data[C]": {}}, {"data[C].x": 1})) == [("extra", "data[C].x")]
    assert told(against({"data[C].x": 1}, {"data[C]": {}})) == [("missing", "data[C].x")]
    assert told(against({"data[C]": {}}, {})) == [("missing", "data[C]")]


@pytest.mark.parametrize(
    ("vendor", "ours", "changes"),
    [
        (["everywhere"], None, {"missing": None}),
        (None, ["everywhere"], {"extra": ["everywhere"]}),
        (["everywhere"], ["in shop"], {"differing": ["in shop"]}),
        (["everywhere"], ["everywhere"], {}),
        (["in shop"], ["everywhere"], {"extra": ["everywhere"]}),
        (["in shop", "in pay"], ["in pay"], {"differing": ["in pay"]}),
        (["in shop", "in pay"], ["in pay", "in x"], {"differing": ["in pay", "in x"], "extra": ["in x"]}),
    ],
)
def test_a_right_can_be_narrower_here_and_wider_there(vendor: Any, ours: Any, changes: dict[str, Any]) -> None:
    sides = [{"core/pods get": places} if places else {} for places in (vendor, ours)]
    report = compare_facts({RIGHTS: sides[0]}, {RIGHTS: sides[1]}, listed())
    assert {d.change: None if d.change == "missing" else d.ours for d in report.differences} == changes


def test_an_entry_explains_what_it_fits_and_nothing_else() -> None:
    text = "deviations:\n" + entry(paths="data[A*]")
    report = against({"data[A]": "1", "data[AB]": "1", "data[B]": "1"}, {}, text)
    assert [(d.path, d.deviation.id if d.deviation else None) for d in report.differences] == [
        ("data[AB]", "one"),
        ("data[A]", "one"),
        ("data[B]", None),
    ]
    assert [d.path for d in report.unexplained] == ["data[B]"]


@pytest.mark.parametrize("changes", [{"change": "differing"}, {"objects": "Secret/*"}, {"paths": "data[A"}])
def test_an_entry_that_does_not_fit(changes: dict[str, Any]) -> None:
    report = against({"data[A]": "1"}, {}, "deviations:\n" + entry(**changes))
    assert len(report.unexplained) == 1


def test_brackets_and_dots_in_patterns_stand_for_themselves() -> None:
    report = against({"dataxA": "1"}, {}, "deviations:\n" + entry(paths="data.A"))
    assert len(report.unexplained) == 1


def test_a_pinned_value_must_be_ours() -> None:
    text = "deviations:\n" + entry(change="differing", paths="data[A]", ours="3")
    assert against({"data[A]": "1"}, {"data[A]": "3"}, text).unexplained == ()
    assert len(against({"data[A]": "1"}, {"data[A]": "4"}, text).unexplained) == 1


def test_the_first_entry_that_fits_explains() -> None:
    text = "deviations:\n" + entry(id="narrow", paths="data[A]") + entry(id="wide")
    report = against({"data[A]": "1", "data[B]": "1"}, {}, text)
    assert [d.deviation.id for d in report.differences if d.deviation] == ["narrow", "wide"]
    assert stale([report], listed(text)) == []


def test_an_entry_and_a_pattern_that_fit_nothing_are_stale() -> None:
    text = "deviations:\n" + entry(paths=["data[A]", "data[Z]"]) + entry(id="gone", change="extra")
    report = against({"data[A]": "1"}, {}, text)
    assert stale([report], listed(text)) == [
        "deviation 'one' has a pattern that explains nothing any more: data[Z]",
        "deviation 'gone' explains nothing any more",
    ]


def test_an_entry_used_in_one_of_several_cases_is_not_stale() -> None:
    text = "deviations:\n" + entry()
    reports = [against({"data[A]": "1"}, {}, text), against({}, {}, text)]
    assert stale(reports, listed(text)) == []
    assert stale(reports[1:], listed(text)) == ["deviation 'one' explains nothing any more"]


def test_an_entry_for_renders_of_ones_own_is_never_stale() -> None:
    text = "deviations:\n" + entry(cases="own")
    assert stale([against({}, {})], listed(text)) == []
    assert against({"data[A]": "1"}, {}, text).unexplained == ()
    in_a_case = compare_facts({ITEM: {"data[A]": "1"}}, {ITEM: {}}, listed(text), "full")
    assert len(in_a_case.unexplained) == 1


RENAME = "renames:\n- {object: DaemonSet/speedscale-nettap, to: DaemonSet/nettap, kind: ours, reason: As documented.}\n"


def test_a_renamed_object_is_compared_under_its_new_name() -> None:
    vendor, ours = {"DaemonSet/speedscale-nettap": {"a": 1, "b": 1}}, {"DaemonSet/nettap": {"a": 1}}
    report = compare_facts(vendor, ours, listed(RENAME))
    assert [(d.item, d.section, d.path) for d in report.differences] == [("DaemonSet/nettap", "09", "b")]
    assert report.unused_renames == ()


@pytest.mark.parametrize(
    ("vendor", "ours"), [({}, {"DaemonSet/nettap": {"a": 1}}), ({"DaemonSet/speedscale-nettap": {"a": 1}}, {})]
)
def test_a_rename_that_names_nothing_is_stale(vendor: Any, ours: Any) -> None:
    report = compare_facts(vendor, ours, listed(RENAME))
    assert stale([report], listed(RENAME)) == ["rename of DaemonSet/speedscale-nettap names nothing any more"]
    assert len(report.unexplained) == 1


def test_paths_within_an_object_can_have_other_names() -> None:
    text = f"renames:\n- {{object: {ITEM}, paths: {{'data[A]': 'data[B]'}}, kind: ours, reason: Better.}}\n"
    report = against({"data[A].x": 1}, {"data[B].x": 1}, text)
    assert report.differences == ()
    assert stale([report], listed(text)) == []
    unused = against({"data[C].x": 1}, {"data[C].x": 1}, text)
    assert stale([unused], listed(text)) == [f"rename of {ITEM} names nothing any more"]


def test_objects_are_compared_by_meaning() -> None:
    def deployment(env: list[dict[str, str]], cpu: str) -> dict[str, Any]:
        container = {"name": "main", "env": env, "resources": {"limits": {"cpu": cpu}}}
        return {
            "kind": "Deployment",
            "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }

    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    report = compare([deployment([one, two], "1")], [deployment([two, one], "1000m")], listed())
    assert report.differences == ()
    report = compare([deployment([one, two], "1")], [deployment([one], "1")], listed())
    assert [d.path for d in report.missing] == ["spec.template.spec.containers[main].env[B].value"]


def test_a_difference_says_both_values() -> None:
    (found,) = against({"data[A]": "1"}, {"data[A]": "2"}).differences
    assert found == Difference(ITEM, "data[A]", "differing", "02", "1", "2")
