"""TLS on Debian's 6.1 kernel, which has no uprobe_multi: probes are perf events there, and ask for SYS_ADMIN."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import small_machine
from machines import Boot, Story, other_end, program

TLS = Path(__file__).parents[1] / "tls"
sys.path.insert(0, str(TLS))

from built import compiled, go  # noqa: E402

pytestmark = pytest.mark.kernel
SENDFILE = 3  # enum nettap_gap


@pytest.fixture(scope="module")
def told(boot: Boot, machine: small_machine.Machine, certificate: Path) -> Story:
    """Return what came of HTTPS within a pod: OpenSSL and Go at either end, and OpenSSL with TLS in the kernel."""
    programs = TLS / "programs"
    server, in_go = compiled(programs / "server.c", "shared"), go(programs / "go", "stripped")
    files: dict[str, Path | str] = {
        **program(compiled(programs / "client.c", "shared"), "client"),
        **program(server, "server"),
        **program(Path("/usr/bin/setpriv"), "setpriv"),
        **machine.modules(),
        "bin/kserver": server,
        "bin/goclient": in_go,
        "bin/goserver": in_go,
        "certificate": certificate,
    }
    return boot("tls", files, "lockdown=integrity", NETTAP_LINE_BYTES=str(16 << 20))


def test_plaintext_is_what_was_said_at_both_ends(told: Story) -> None:
    """By OpenSSL's client and by Go's, at OpenSSL's server."""
    said, tap, gaps = told.kept("server"), told.streams("tap"), told.gaps()
    ended = {name: told.said(f"ask-{name}") for name in ("refused", "openssl", "in-kernel", "by-go", "of-go")}
    assert set(ended.values()) == {"0"}, (ended, told.console[-6000:])
    tapped = {name: digest for name, digest in said.items() if f"{name}-plain" in tap}
    assert len(tapped) >= 2 * 3, told.console[-6000:]
    for stream, digest in tapped.items():
        assert tap[f"{stream}-plain"] == digest
        assert tap[f"{other_end(stream)}-plain"] == digest
        assert not gaps[f"{stream}-plain"] + gaps[f"{other_end(stream)}-plain"]


def test_gos_server(told: Story) -> None:
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
    (received,) = (name for name in said if name.endswith("-received"))
    assert {reason for reason, _ in told.gaps()[f"{sent}-plain"]} == {SENDFILE}
    assert told.gap_bytes(f"{sent}-plain", SENDFILE) == 101_000
    assert tap[f"{received}-plain"] == said[received]
    assert tap[f"{other_end(sent)}-plain"] == said[sent], "its client has read all of it"


def test_without_sys_admin_tls_is_refused_and_told(told: Story) -> None:
    assert told.document("poor-hello")["methods"]["tls"]["source"] == "uprobe_perf_event"
    counters = told.document("poor-stats")["counters"]
    assert counters["tls_files"]["probe_refused"] > 0
    assert counters["tls_refused"]["probe_refused"] > 0
    assert not [name for name in told.streams("poor") if name.endswith("-plain")]
    assert len(told.streams("poor")) >= 4, "what is sealed is captured as it is"
    doctor = told.document("doctor")
    assert doctor["works"]
    assert not doctor["probes"]["uprobe"]["works"]
    assert "SYS_ADMIN" in doctor["probes"]["uprobe"]["advice"]
    assert not doctor["capabilities"]["SYS_ADMIN"]
