"""Capture on Debian's 6.1 kernel, by each way of attaching that this machine's own kernel may lack.

A small machine under qemu runs capture against a pod's cgroup, with lockdown in integrity mode. What the application
sent and received has to be what was captured, by SHA-256 of each direction of each socket.
"""

from __future__ import annotations

import pytest
from machines import MOVED, SOURCES, Boot, Story, compiled, other_end

pytestmark = pytest.mark.kernel

ROOM = {"NETTAP_RING_BYTES": str(64 << 20), "NETTAP_LINE_BYTES": str(64 << 20)}
"""16 MiB in one call, both ends and both ways: under qemu the program writes them faster than they are read."""


@pytest.fixture(scope="module", params=["fentry", "kprobe"])
def story(request: pytest.FixtureRequest, boot: Boot, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Story]:
    """Return the method, and what came of a machine whose capture was told to use it."""
    traffic = compiled("traffic", tmp_path_factory.mktemp("traffic"))
    told = boot("plain", {"bin/traffic": traffic}, "lockdown=integrity", NETTAP_METHOD=request.param, **ROOM)
    return request.param, told


def test_what_was_captured_is_what_was_said(story: tuple[str, Story]) -> None:
    method, told = story
    plain, tap, gaps = told.plain(), told.streams("tap"), told.gaps()
    assert (told.document("source"), told.said("lockdown")) == (SOURCES[method], "none [integrity] confidentiality")
    assert len(plain) > 100
    assert {name: tap.get(name) for name in plain} == plain, told.console[-4000:]
    assert {name: found for name, found in gaps.items() if name in plain} == {}


@pytest.mark.parametrize("case", MOVED)
def test_what_no_call_carries_is_a_gap_of_its_size(story: tuple[str, Story], case: str) -> None:
    _, told = story
    reason, length = MOVED[case]
    sent = told.sent_by(case)
    assert {why for why, _ in told.gaps()[sent]} == {reason}
    assert told.gap_bytes(sent, reason) == length
    received = other_end(sent)
    assert told.streams("tap")[received] == told.streams("app")[received]


def test_nobody_else_is_seen_and_nothing_stays(story: tuple[str, Story]) -> None:
    _, told = story
    ports = {int(part) for name in told.streams("tap") for part in name.split("-")[:2]}
    assert not {port for port in ports if 20_000 <= port < 20_100}
    assert told.said("capture-exit") == "0"
    assert told.said("healthy-exit") == "0"


def test_the_report_says_what_was_chosen(story: tuple[str, Story]) -> None:
    method, told = story
    assert told.document("hello")["methods"]["tcp"]["source"] == method
