"""Capture on Debian's 6.1 kernel for arm64, under qemu's emulation of such a processor, with lockdown.

What is different there: numbers and registers of system calls, registers of functions, how Go passes arguments and
returns, and that kernels before 6.4 have no fentry on their own functions. One boot shows all of it, as loading the
programs is what takes time.
"""

from __future__ import annotations

from pathlib import Path

import nettap_build
import pytest
import small_machine
from foreign import arm64, no_go
from machines import MOVED, SOURCES, Story, boots, other_end

pytestmark = pytest.mark.kernel

TLS = Path(__file__).parents[1] / "tls" / "programs"
ROOM = {"NETTAP_RING_BYTES": str(64 << 20), "NETTAP_LINE_BYTES": str(64 << 20)}
WITHIN_S = 400.0
"""40 s on a quiet machine."""
RUNS = pytest.mark.parametrize(
    ("run", "app", "tap", "source"),
    [("", "app", "tap", "tracepoint"), ("kprobe-", "app-kprobe", "tap-kprobe", "kprobe")],
)
GO = pytest.mark.skipif(bool(no_go()), reason=no_go())


@pytest.fixture(scope="module")
def told(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return what came of it; skipped with the reason where the machine or its programs cannot be had."""
    try:
        machine, foreign = arm64(tmp_path_factory.mktemp("arm64"))
        built = nettap_build.ensure(foreign.build)
    except (small_machine.Unavailable, nettap_build.Lacking) as error:
        pytest.skip(str(error))
    server, in_go = foreign.openssl(TLS / "server.c"), foreign.go(TLS / "go")
    files: dict[str, Path | str] = {
        **foreign.with_libraries(built / nettap_build.PROGRAM),
        **foreign.with_libraries(foreign.openssl(TLS / "client.c")),
        **foreign.with_libraries(server),
        **machine.modules(),
        "bin/kserver": server,
        "bin/busybox": machine.guest / "bin/busybox",
        "bin/tap": foreign.static("tap"),
        "bin/traffic": foreign.static("traffic"),
        "certificate": certificate,
    }
    if in_go:
        files |= {"bin/goclient": in_go, "bin/goserver": in_go}
    boot = boots(machine, files, lambda: tmp_path_factory.mktemp("boot"), WITHIN_S)
    return boot("arm64", {}, "lockdown=integrity", **ROOM)


def test_what_is_chosen_and_why(told: Story) -> None:
    doctor, hello = told.document("doctor"), told.document("hello")
    assert (doctor["works"], doctor["machine"], doctor["lockdown"]) == (1, "aarch64", "integrity")
    assert [name for name, probe in doctor["probes"].items() if not probe["works"]] == ["fentry"]
    assert doctor["method"]["source"] == hello["methods"]["tcp"]["source"] == "tracepoint"
    assert "fentry is refused: this kernel does not support it on this processor" in doctor["method"]["why"]
    assert (told.said("healthy-exit"), told.said("capture-exit")) == ("0", "0")


def test_a_method_that_it_has_not_is_refused(told: Story) -> None:
    assert told.said("fentry-exit") != "0"
    assert any("kernel_refuses" in line and "fentry is refused" in line for line in told.lines["fentry"])


@RUNS
def test_what_was_captured_is_what_was_said(told: Story, run: str, app: str, tap: str, source: str) -> None:
    plain, tapped, gaps = told.plain(app, run), told.streams(tap), told.gaps(run)
    assert int(told.lines[f"{run}source"][0]) in {SOURCES[source], 4, 6}  # the last chunk may be of a TLS library
    assert len(plain) > 100
    assert {name: tapped.get(name) for name in plain} == plain, told.console[-4000:]
    assert {name: found for name, found in gaps.items() if name in plain} == {}


@RUNS
@pytest.mark.parametrize("case", MOVED)
def test_what_no_call_carries_is_a_gap_of_its_size(
    told: Story, case: str, run: str, app: str, tap: str, source: str
) -> None:
    reason, length = MOVED[case]
    sent = told.sent_by(case, app, run)
    assert {why for why, _ in told.gaps(run)[sent]} == {reason}
    assert told.gap_bytes(sent, reason, run) == length
    assert told.streams(tap)[other_end(sent)] == told.streams(app)[other_end(sent)]


def test_plaintext_is_what_was_said_at_both_ends(told: Story) -> None:
    """By OpenSSL's client, and by Go's, at OpenSSL's server."""
    said, tap, gaps = told.kept("server"), told.streams("tap"), told.gaps()
    asked = ("openssl", "in-kernel") if no_go() else ("openssl", "in-kernel", "by-go", "of-go")
    ended = {name: told.said(f"ask-{name}") for name in asked}
    assert set(ended.values()) == {"0"}, (ended, told.console[-6000:])
    assert len(said) == 2 * (1 if no_go() else 3)
    for stream, digest in said.items():
        for end in (stream, other_end(stream)):
            assert tap[f"{end}-plain"] == digest
            assert not gaps[f"{end}-plain"]


@GO
def test_gos_server_returns_at_each_place(told: Story) -> None:
    port = told.said("port-goserver")
    tap, gaps = told.streams("tap"), told.gaps()
    ends = {name: digest for name, digest in tap.items() if name.startswith(f"{port}-") and name.endswith("-plain")}
    assert len(ends) == 2, told.console[-6000:]
    for stream, digest in ends.items():
        assert tap[f"{other_end(stream.removesuffix('-plain'))}-plain"] == digest
        assert not gaps[stream]


def test_what_goes_by_ssl_sendfile_is_a_gap_of_its_size(told: Story) -> None:
    said, tap = told.kept("kserver"), told.streams("tap")
    (sent,) = (name for name in said if name.endswith("-sent"))
    reason = MOVED["sendfile"][0]
    assert {why for why, _ in told.gaps()[f"{sent}-plain"]} == {reason}
    assert told.gap_bytes(f"{sent}-plain", reason) == 101_000
    assert tap[f"{other_end(sent)}-plain"] == said[sent], "its client has read all of it"
