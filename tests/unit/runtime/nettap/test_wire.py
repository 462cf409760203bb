"""The frames between capture and ingest: the C header and this side say the same, and bad frames are named."""

from __future__ import annotations

import contextlib
import enum
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.nettap import wire

HEADER = Path(__file__).resolve().parents[4] / "runtime" / "nettap" / "include" / "nettap_wire.h"
ENUMS: dict[str, tuple[type[enum.IntEnum] | type[enum.IntFlag], str]] = {
    "nettap_type": (wire.Type, "NETTAP_"),
    "nettap_direction": (wire.Direction, "NETTAP_"),
    "nettap_role": (wire.Role, "NETTAP_ROLE_"),
    "nettap_source": (wire.Source, "NETTAP_SOURCE_"),
    "nettap_certainty": (wire.Certainty, "NETTAP_"),
    "nettap_flag": (wire.Flag, "NETTAP_"),
    "nettap_gap": (wire.Gap, "NETTAP_GAP_"),
}
STRUCTS = {
    "nettap_frame": (wire.FRAME, ("type", "version", "length")),
    "nettap_chunk": (wire.CHUNK, wire.Chunk._fields),
    "nettap_process": (
        wire.PROCESS,
        ("ts", "cgroup", "tgid", "event", "reserved", "comm", "plaintext", "refused"),
    ),
    "nettap_cgroup": (wire.CGROUP, ("cgroup", "target", "event", "reserved")),
    "nettap_target": (wire.TARGET, ("number", "ports", "reserved", "ignore_ports", "pod_uid", "cgroup_path")),
}


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """Compile the header and let the compiler say every size, offset and code."""
    compiler = shutil.which("gcc") or shutil.which("clang-14") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler: the header cannot be compared")
    folder = tmp_path_factory.mktemp("wire")
    text = HEADER.read_text("utf-8")
    lines = ["#include <stdio.h>", "#include <stddef.h>", f'#include "{HEADER}"', "int main(void) {", 'printf("{");']
    for name in ENUMS:
        found = re.search(rf"enum {name} {{(.*?)}};", text, re.DOTALL)
        assert found is not None, name
        codes = re.findall(r"\b(NETTAP_[A-Z0-9_]+)\s*=", found[1])
        assert codes, name
        lines += [f'printf("\\"{name}.{code}\\":%d,", {code});' for code in codes]
    for name, (_, fields) in STRUCTS.items():
        lines.append(f'printf("\\"{name}.size\\":%zu,", sizeof(struct {name}));')
        lines += [f'printf("\\"{name}:{f}\\":%zu,", offsetof(struct {name}, {f}));' for f in fields]
    for name in ("WIRE_VERSION", "PAYLOAD_MAX", "FRAME_MAX", "TARGET_PORTS"):
        lines.append(f'printf("\\"{name}\\":%d,", NETTAP_{name});')
    lines += ['printf("\\"end\\":0}\\n"); return 0; }']
    source = folder / "say.c"
    source.write_text("\n".join(lines))
    subprocess.run([compiler, "-Wall", "-Werror", str(source), "-o", str(folder / "say")], check=True)
    said: dict[str, int] = json.loads(subprocess.run([folder / "say"], check=True, capture_output=True).stdout)
    return {"all": said}


@pytest.mark.parametrize("name", ENUMS)
def test_codes_are_those_of_the_header(in_c: dict[str, dict[str, int]], name: str) -> None:
    ours, prefix = ENUMS[name]
    theirs = {k.partition(".")[2]: v for k, v in in_c["all"].items() if k.startswith(f"{name}.")}
    assert {f"{prefix}{m.name}": m.value for m in ours} == theirs


@pytest.mark.parametrize("name", STRUCTS)
def test_sizes_and_offsets_are_those_of_the_header(in_c: dict[str, dict[str, int]], name: str) -> None:
    ours, fields = STRUCTS[name]
    said = in_c["all"]
    assert ours.size == said[f"{name}.size"]
    parts = re.findall(r"(\d*)([a-zA-Z])", ours.format.removeprefix("<"))
    offsets, position = [], 0
    for count, letter in parts:
        repeats = int(count or 1)
        if letter == "s" or (name == "nettap_target" and letter == "H" and repeats > 1):
            offsets.append(position)
        else:
            size = struct.calcsize(f"<{letter}")
            offsets += [position + i * size for i in range(repeats)]
        position += struct.calcsize(f"<{count}{letter}")
    assert dict(zip(fields, offsets, strict=True)) == {f: said[f"{name}:{f}"] for f in fields}


def test_limits_are_those_of_the_header(in_c: dict[str, dict[str, int]]) -> None:
    ours = {
        "WIRE_VERSION": wire.VERSION,
        "PAYLOAD_MAX": wire.PAYLOAD_MAX,
        "FRAME_MAX": wire.FRAME_MAX,
        "TARGET_PORTS": wire.TARGET_PORTS,
    }
    assert {k: in_c["all"][k] for k in ours} == ours


def chunk(length: int, payload: bytes = b"", **changes: int) -> bytes:
    values = dict.fromkeys(wire.Chunk._fields, 0) | {"length": length} | changes
    addresses = {"local_address": bytes(16), "remote_address": bytes(16)}
    return wire.CHUNK.pack(*(addresses.get(field, values[field]) for field in wire.Chunk._fields)) + payload


@given(st.lists(st.binary(min_size=2, max_size=300), max_size=20), st.lists(st.integers(1, 400), max_size=40))
def test_frames_come_out_whole_however_the_line_cuts_them(bodies: list[bytes], cuts: list[int]) -> None:
    line = b"".join(wire.frame(wire.Type.STATS, body) for body in bodies)
    decoder, found = wire.Decoder(), []
    for size in [*cuts, len(line)]:
        found += decoder.feed(line[:size])
        line = line[size:]
    assert found == [(wire.Type.STATS, body) for body in bodies]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wire.FRAME.pack(wire.Type.CHUNK, 2, 104), wire.BadLine.VERSION),
        (wire.FRAME.pack(8, 1, 104), wire.BadLine.TYPE),
        (wire.FRAME.pack(wire.Type.TARGET, 1, 336), wire.BadLine.TYPE),  # the other way only
        (wire.FRAME.pack(wire.Type.CHUNK, 1, wire.FRAME_MAX + 1), wire.BadLine.TOO_LONG),
    ],
)
def test_what_is_no_frame_is_refused_by_its_header(data: bytes, reason: wire.BadLine) -> None:
    with pytest.raises(wire.BadFrame) as caught:
        wire.Decoder().feed(data)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"x" * 103, wire.BadLine.TOO_SHORT),
        (chunk(3, b"ab"), wire.BadLine.LENGTH),
        (chunk(2, b"abc"), wire.BadLine.LENGTH),
        (chunk(2, b"ab", flags=wire.Flag.GAP), wire.BadLine.LENGTH),
        (chunk(0, direction=2), wire.BadLine.DIRECTION),
        (chunk(wire.PAYLOAD_MAX + 1, bytes(wire.PAYLOAD_MAX + 1)), wire.BadLine.LENGTH),
    ],
)
def test_a_chunk_that_contradicts_itself_is_refused(body: bytes, reason: wire.BadLine) -> None:
    with pytest.raises(wire.BadFrame) as caught:
        wire.chunk(body)
    assert caught.value.reason is reason


def test_a_gap_may_be_longer_than_a_payload() -> None:
    assert wire.chunk(chunk(4_000_000_000, flags=wire.Flag.GAP, gap_reason=3)).length == 4_000_000_000


@given(st.binary(max_size=200))
def test_no_bytes_make_the_readers_fail_in_another_way(data: bytes) -> None:
    for read in (wire.chunk, wire.process, wire.cgroup, wire.Decoder().feed):
        with contextlib.suppress(wire.BadFrame):
            read(data)


def test_targets_are_a_whole_set() -> None:
    data = wire.targets((wire.Target(7, (80, 443), "0f9-uid"), wire.Target(8, (), "", "/kubepods/x")))
    kinds, pos, bodies = [], 0, []
    while pos < len(data):
        kind, version, length = wire.FRAME.unpack_from(data, pos)
        assert version == wire.VERSION
        kinds.append(kind)
        bodies.append(data[pos + 8 : pos + 8 + length])
        pos += 8 + length
    assert kinds == [64, 65, 65, 66]
    number, ports, _, *rest = wire.TARGET.unpack(bodies[1])
    assert (number, ports, rest[:3], rest[16].rstrip(b"\0")) == (7, 2, [80, 443, 0], b"0f9-uid")
    assert wire.TARGET.unpack(bodies[2])[-1].rstrip(b"\0") == b"/kubepods/x"


@pytest.mark.parametrize(
    "one", [wire.Target(1, tuple(range(1, 18))), wire.Target(1, (), "u" * 40), wire.Target(1, (), "", "/" * 256)]
)
def test_a_target_that_does_not_fit_is_refused(one: wire.Target) -> None:
    with pytest.raises(ValueError, match="target 1"):
        wire.target(one)


def test_a_cgroup_and_a_process_are_read() -> None:
    assert wire.cgroup(wire.CGROUP.pack(9, 7, 1, b"") + b"/kubepods/pod1\0") == wire.Cgroup(9, 7, 1, "/kubepods/pod1")
    body = wire.PROCESS.pack(1, 9, 42, 1, b"", b"nginx\0junk", 1 << 4, 0)
    assert wire.process(body) == wire.Process(1, 9, 42, 1, b"nginx", 16, 0)
    with pytest.raises(wire.BadFrame):
        wire.cgroup(wire.CGROUP.pack(9, 7, 1, b"") + b"\xff")
