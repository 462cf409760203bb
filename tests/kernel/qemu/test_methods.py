"""Capture on Debian's 6.1 kernel, by each way of attaching that this machine's own kernel may lack.

A small machine under qemu runs capture against a pod's cgroup, with lockdown in integrity mode. What the application
sent and received has to be what was captured, by SHA-256 of each direction of each socket.
"""

from __future__ import annotations

import pytest
from machines import Boot, Story, compiled

pytestmark = pytest.mark.kernel

SOURCES = {"tracepoint": "1", "kprobe": "2", "fentry": "3"}
SENDFILE = 3  # enum nettap_gap
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
    app, tap, gaps = told.streams("app"), told.streams("tap"), told.gaps()
    assert (told.document("source"), told.said("lockdown")) == (
        int(SOURCES[method]),
        "none [integrity] confidentiality",
    )
    port = str(told.port_of("sendfile"))
    plain = {name: digest for name, digest in app.items() if port not in name.split("-")}
    assert len(plain) > 100
    assert {name: tap.get(name) for name in plain} == plain, told.console[-4000:]
    assert {name: found for name, found in gaps.items() if name in plain} == {}


def test_what_no_call_carries_is_a_gap_of_its_size(story: tuple[str, Story]) -> None:
    _, told = story
    port = str(told.port_of("sendfile"))
    (sent,) = [name for name in told.streams("app") if name.split("-")[1:] == [port, "sent"]]
    found = told.gaps()[sent]
    assert {reason for reason, _ in found} == {SENDFILE}
    assert told.gap_bytes(sent, SENDFILE) == 100_000
    received = sent.split("-")[1] + "-" + sent.split("-")[0] + "-received"
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
