"""A commit rolls through the installation and nobody's request is lost; without redaction the search finds originals.

The two in one: the commit turns redaction off, which shows that the story's search finds what is there to be found.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import story
from story import Tell
from whole import NAMESPACE, Whole

from speedscale_kube import Ref

ASKED = 300
PROBES = 3
OFF = "dlp: {enabled: false}\n"
SERVER = Ref("apps/v1", "Deployment", NAMESPACE, "java-server")


@pytest.fixture
def without_redaction(installed: Whole, shell_image: str) -> Iterator[None]:
    """Redaction off by a commit, while somebody asks; afterwards on again by another."""
    script = story.requests("during", ASKED, pause_s=0.1)
    story.asking(installed, shell_image, "during", script)
    try:
        installed.upgrade("Redaction off", OFF)
        yield
    finally:
        installed.upgrade("Redaction on", "")


def test_an_upgrade_loses_no_request_and_without_redaction_originals_are_found(
    installed: Whole, shell_image: str, tell: Tell, request: pytest.FixtureRequest
) -> None:
    (before,) = installed.pods(labels="app=speedscale-forwarder")
    generation = installed.kube.get(SERVER)["metadata"]["generation"]
    request.getfixturevalue("without_redaction")
    (after,) = installed.pods(labels="app=speedscale-forwarder")
    assert after["metadata"]["uid"] != before["metadata"]["uid"], "the forwarder is a new one"
    assert installed.kube.get(SERVER)["metadata"]["generation"] == generation, "who is recorded is not touched"

    statuses = story.answered(installed, "during").split()
    assert statuses == ["404"] * ASKED, "the application answered all the while"
    installed.until(lambda: len(story.pairs(installed, "during")) >= ASKED, "each is a pair at the backend", 120.0)
    assert len(story.pairs(installed, "during")) == ASKED
    tell("during an upgrade: requests, pairs", f"{ASKED}, {ASKED}")

    originals = story.customers(installed, shell_image, "canary", PROBES)
    assert len(originals) == 2 * PROBES
    installed.until(lambda: len(story.pairs(installed, "canary")) >= PROBES, "they are at the backend", 60.0)
    looked = story.look(installed, originals)
    assert {value for values in looked.found.values() for value in values} == originals, "all of them are found"
    tell("originals found without redaction", f"{len(originals)} of {len(originals)}, in {len(looked.found)} places")
