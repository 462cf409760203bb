"""TLS in containers: roots, mounts and process ids of their own, found whenever they start, whoever shares what."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import peers
import pytest
from built import compiled, go
from containers import Image, child, node, numbers
from plaintext import SURE, check
from tap import DEADLINE_S, Tap
from test_libraries import GO, PROGRAMS

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel
UID = "3f1c8e0a-7f1e-4d0c-9a53-5b6a0c7d2e11"

FORMS: dict[str, tuple[Callable[[], Path], list[str], wire.Source, Any]] = {
    "openssl": (lambda: compiled(PROGRAMS / "client.c", "shared"), [], wire.Source.OPENSSL, SURE),
    "static": (lambda: compiled(PROGRAMS / "client.c", "static"), [], wire.Source.OPENSSL, SURE),
    "go": (lambda: go(PROGRAMS / "go", "stripped"), ["client"], wire.Source.GO_TLS, GO),
}


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Return an image with an OpenSSL of its own, where no system has one."""
    return Image.of(tmp_path / "c", compiled(PROGRAMS / "client.c", "shared"))


def wait_found(tap: Tap, pid: int, source: wire.Source = wire.Source.OPENSSL) -> None:
    tap.until(lambda: any(one.tgid == pid and one.plaintext & 1 << source for one in tap.processes))


def finish(process: subprocess.Popen[str]) -> None:
    out, _ = process.communicate("go\n", timeout=DEADLINE_S)
    assert process.returncode == 0, out


@pytest.mark.parametrize("form", FORMS)
def test_started_after_the_capture(tap: Tap, server: peers.Server, tmp_path: Path, form: str) -> None:
    program, arguments, source, certainty = FORMS[form]
    one = Image.of(tmp_path / "c", program())
    sizes = [1, 70_000] if form != "go" else [1, 1, 70_000]  # Go takes the number of its connections first
    with one.run(tap, "first", *arguments, server.port, *sizes) as process:
        wait_found(tap, child(process.pid), source)
        assert numbers(child(process.pid))[1:] == [1], "it has process ids of its own"
        finish(process)
    ((port, talk),) = server.talks.items()
    check(tap, port, server.port, talk, certainty, source)


def test_started_before_the_capture(tap: Tap, server: peers.Server, image: Image) -> None:
    tap.target()
    with image.run(tap, "first", server.port, 5000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        tap.capture()
        wait_found(tap, child(process.pid))
        finish(process)
    ((port, talk),) = server.talks.items()
    check(tap, port, server.port, talk, SURE)


def test_containers_of_one_image_side_by_side_and_one_after_the_other(
    tap: Tap, server: peers.Server, image: Image
) -> None:
    with (
        image.run(tap, "first", server.port, 5000) as first,
        image.run(tap, "second", server.port, 6000) as second,
    ):
        for one in (first, second):
            wait_found(tap, child(one.pid))
        finish(first)
        finish(second)
    with image.run(tap, "third", server.port, 7000) as third:
        wait_found(tap, child(third.pid))
        finish(third)
    assert len(server.talks) == 3
    for port, talk in server.talks.items():
        check(tap, port, server.port, talk, SURE)


@contextmanager
def on_node(program: Path, folder: Path, cgroup: Path, first: int) -> Iterator[Tap]:
    """Run the capture on a node that is a container: it sees the node's processes, by the node's numbers."""
    script, inside = folder / "speedscale-nettap-capture", folder / "inside"
    script.write_text(
        f"#!/bin/sh\nexec nsenter --pid=/proc/{first}/ns/pid --mount=/proc/{first}/ns/mnt --no-fork -- {inside}\n"
    )
    # A shell in between, whose children are on the node: it hands on the signal that ends it.
    inside.write_text(
        f"#!/bin/sh\ntrap 'kill -TERM $child' TERM\n{program / script.name} & child=$!\n"
        "while kill -0 $child 2>/dev/null; do wait $child; code=$?; done\nexit $code\n"
    )
    for one in (script, inside):
        one.chmod(0o755)
    tap = Tap(folder, folder, cgroup, {"NETTAP_SYSTEM_CGROUPV2PATH": str(folder / "cgroups")})
    try:
        yield tap
    finally:
        tap.close()


@pytest.mark.parametrize("running", [True, False], ids=["running", "coming"])
def test_a_node_that_is_a_container(
    capture_program: Path, cgroup: Path, tmp_path: Path, server: peers.Server, image: Image, running: bool
) -> None:
    """As with kind: the capture's process ids and cgroups are others than the kernel's, and the container's again."""
    pod = cgroup / "node" / "kubepods" / f"pod{UID}" / "container"
    target = wire.Target(1, (), pod_uid=UID)
    with ExitStack() as stack:
        first = stack.enter_context(node(cgroup / "node", tmp_path / "cgroups"))
        tap = stack.enter_context(on_node(capture_program, tmp_path, pod, first))
        enter = ("nsenter", f"--pid=/proc/{first}/ns/pid", f"--mount=/proc/{first}/ns/mnt", "--")
        if not running:
            tap.line.sendall(wire.targets((target,)))
            tap.until(lambda: '"event":"targets","asked":"1"' in tap.log.read_text())
        pod.mkdir(parents=True)
        process = stack.enter_context(image.run(tap, "first", server.port, 5000, enter=enter))
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if running:
            tap.target(target)
        (kernels, ours, own) = numbers(child(child(process.pid)))
        assert own == 1
        wait_found(tap, ours)
        finish(process)
        ((port, talk),) = server.talks.items()
        check(tap, port, server.port, talk, SURE)
        assert {one.tgid for one in told(tap) if one.tgid} == {ours} != {kernels}
        tap.until(lambda: any(one.tgid == ours and one.event == wire.Event.ENDED for one in tap.processes))
        tap.until(lambda: any(one.path == f"/kubepods/pod{UID}/container" for one in tap.cgroups))


def told(tap: Tap) -> list[wire.Chunk]:
    return [chunk for stream in list(tap.streams.values()) for chunk in stream.chunks]
