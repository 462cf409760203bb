"""Where probes go in a file: at the same functions whether it is stripped or not, and nowhere in what is hostile."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nettap_build
import pytest
from built import GO, compiled, go
from test_libraries import PROGRAMS, need

from speedscale_runtime.nettap import wire

pytestmark = pytest.mark.kernel
CAPTURE = nettap_build.SOURCES / "capture"
PARTS = ("tls_find", "elf_file", "go_binary", "code_returns", "file_window")


@dataclass(frozen=True)
class Found:
    source: int
    refused: str
    version: str
    points: tuple[tuple[int, bool, int], ...]

    @property
    def offsets(self) -> list[int]:
        return [offset for *_, offset in self.points]


@pytest.fixture(scope="session")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of tests around tls_find(), which stops at the first wrong access to memory."""
    need("gcc")
    program = tmp_path_factory.mktemp("finder") / "points"
    parts = [str(CAPTURE / f"{part}.c") for part in PARTS]
    flags = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover"]
    source = Path(__file__).parent / "points.c"
    subprocess.run(["gcc", *flags, f"-I{CAPTURE}", str(source), *parts, "-lZydis", "-o", str(program)], check=True)
    return program


def find(finder: Path, *files: Path) -> list[Found]:
    out = subprocess.run([finder, *files], check=True, capture_output=True, text=True, timeout=120).stdout
    found = []
    for line in out.splitlines():
        source, refused, version, *points = line.split()
        places = (one.split(":") for one in points)
        every = tuple((int(program), returns == "1", int(offset, 16)) for program, returns, offset in places)
        found.append(Found(int(source), refused, version, every))
    return found


def disassembled(program: Path, function: str) -> tuple[int, list[int]]:
    """Return where binutils sees a function begin and return, as addresses."""
    command = [need("objdump"), "-d", "--no-show-raw-insn", f"--disassemble={function}", str(program)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in out.splitlines() if "\t" in line]
    addresses = [int(one[0].strip().rstrip(":"), 16) for one in lines]
    returns = [at for at, one in zip(addresses, lines, strict=True) if one[1].startswith("ret")]
    return addresses[0], returns


def test_go_functions_are_those_that_binutils_sees(finder: Path) -> None:
    program = go(PROGRAMS / "go", "plain")
    (found,) = find(finder, program)
    expected: list[int] = []
    for name in ("Read", "Write", "clientHandshake", "serverHandshake"):
        begin, returns = disassembled(program, f"crypto/tls.(*Conn).{name}")
        expected += [begin, *(returns if name in ("Read", "Write") else [])]
    base = 0x400000  # of executables that Go links itself; their first segment is the file's beginning
    assert found.offsets == [address - base for address in expected]
    assert found.version.startswith("go1.")


@pytest.mark.parametrize("form", GO)
def test_every_form_of_go_has_the_same_points(finder: Path, form: str) -> None:
    plain, other = find(finder, go(PROGRAMS / "go", "plain"), go(PROGRAMS / "go", form))
    assert other.source == wire.Source.GO_TLS
    assert [one[:2] for one in other.points] == [one[:2] for one in plain.points]
    first = plain.offsets[0] - other.offsets[0]
    assert [offset + first for offset in other.offsets[:8]] == plain.offsets[:8]


def test_what_has_no_tls(finder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("#!/bin/sh\n")
    files = [Path("/bin/sh"), tmp_path / "empty", tmp_path / "text"]
    assert [(one.source, one.refused, one.points) for one in find(finder, *files)] == [(0, "-", ())] * 3


@pytest.mark.parametrize("kind", ["go", "static", "library"])
def test_broken_files_are_survived(finder: Path, tmp_path: Path, kind: str) -> None:
    """Headers, tables and ends are damaged in 150 ways: nothing is read that is not there, and it ends."""
    whole = {
        "go": lambda: go(PROGRAMS / "go", "stripped"),
        "static": lambda: compiled(PROGRAMS / "client.c", "static"),
        "library": lambda: next(Path("/usr/lib").glob("*/libssl.so.3")),
    }[kind]()
    chance = random.Random(kind)
    data = whole.read_bytes()
    headers = bytearray(data[:4096])
    sections = int.from_bytes(headers[40:48], "little")
    for _ in range(5):
        files = []
        for number in range(30):
            broken = tmp_path / str(number)
            shutil.copyfile(whole, broken)
            with broken.open("r+b") as file:
                for _ in range(chance.choice([1, 4, 30])):
                    file.seek(chance.choice([chance.randrange(4096), sections + chance.randrange(2048)]))
                    file.write(chance.choice([b"\xff" * 8, b"\x00" * 4, chance.randbytes(8), b"\x7f"]))
                if chance.random() < 0.3:
                    file.truncate(chance.randrange(len(data)))
            files.append(broken)
        find(finder, *files)
