"""The facts are what the chart renders, in one canonical form, with nothing of the chart's text and no key material."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files

import pytest

from speedscale_manifests.parity import facts
from speedscale_manifests.parity.restate import restated

FOLDER = files("speedscale_manifests.parity") / "facts"
COUNTS = {"default": 18, "full": 24, "full-ns": 24, "alt": 21}


@pytest.mark.parametrize("name", COUNTS)
def test_every_case_has_the_objects_of_its_render(name: str) -> None:
    objects = [item for item in facts.case(name).facts if not item.startswith(facts.RIGHTS)]
    assert len(objects) == COUNTS[name]


def test_kinds_of_the_full_render() -> None:
    kinds = Counter(item.partition("/")[0] for item in facts.case("full").facts)
    assert kinds["ClusterRole"] == 3
    assert kinds["MutatingWebhookConfiguration"] == 2
    assert kinds["DaemonSet"] == 1
    assert kinds["Rights"] == 3


def test_writing_what_was_read_gives_the_same_bytes() -> None:
    texts = restated([(case.name, case.facts) for case in facts.load()])
    assert set(texts) == {p.name for p in FOLDER.iterdir()} - {"cases.yaml"}
    for name, text in texts.items():
        assert (FOLDER / name).read_text("utf-8") == text, name


def test_every_object_has_a_section() -> None:
    assert all(facts.section(item) != facts.OTHER for case in facts.load() for item in case.facts)
    assert facts.section("Namespace/speedscale") == facts.OTHER


def test_an_object_of_no_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section holds Pod/x"):
        restated([("default", {"Pod/x": {}})])


def test_no_text_of_the_chart_and_no_key_material() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"description|BEGIN|LS0t|speedctl init|keytool", text), path.name


def test_values_that_the_survey_states() -> None:
    fields = facts.case("full").facts["ConfigMap/speedscale-operator"]
    assert fields["data[TEST_PREP_TIMEOUT]"] == "22m"
    assert fields["data[WITH_INSPECTOR]"] == "false"
    assert facts.case("full-ns").facts["Rights/speedscale-operator"]["core/namespaces get"] == [
        "everywhere named pay",
        "everywhere named shop",
        "everywhere named speedscale",
    ]
    assert facts.case("default").facts["Rights/speedscale-operator"]["core/secrets delete"] == ["everywhere"]
