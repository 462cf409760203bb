"""Make server.jar and client.jar: the same sources and the same compiler give the same bytes.

Called by the build of the images `java-server` and `java-client` and by tests; needs a JDK 17 or later and nothing
else. A jar holds the classes that its main class needs, found by the compiler. Entries are sorted, stored and dated
1980; of debug information there are file names and lines, no paths. Must not live here: how an image is put together.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "src"
PROGRAMS: Mapping[str, str] = {"server.jar": "speedscale.demo.Server", "client.jar": "speedscale.demo.Client"}
"""Jar → main class."""
RELEASE = "17"
_EARLIEST = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The compiler is missing or refuses the sources; the message says which."""


def build(out: Path, javac: str = "javac") -> list[Path]:
    """Compile into the folder `out` (made if missing) and return the jars; BuildError when that fails."""
    if shutil.which(javac) is None:
        raise BuildError(f"{javac} not found: install a JDK {RELEASE} or later (Debian: openjdk-17-jdk-headless)")
    out.mkdir(parents=True, exist_ok=True)
    return [_jar(out / name, main, javac) for name, main in PROGRAMS.items()]


def _jar(path: Path, main: str, javac: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        source = SOURCES.joinpath(*main.split(".")).with_suffix(".java")
        options = ["--release", RELEASE, "-g:source,lines", "-proc:none", "-encoding", "UTF-8", "-implicit:class"]
        lint = ["-Xlint:all", "-Werror"]
        command = [javac, *options, *lint, "-sourcepath", str(SOURCES), "-d", folder, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        classes = {c.relative_to(folder).as_posix(): c.read_bytes() for c in Path(folder).rglob("*.class")}
    manifest = f"Manifest-Version: 1.0\r\nMain-Class: {main}\r\n\r\n".encode()
    # The manifest is the first entry (JAR File Specification).
    entries = [("META-INF/MANIFEST.MF", manifest), *sorted(classes.items())]
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as jar:
        for name, data in entries:
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.create_system, info.external_attr = 3, 0o644 << 16
            jar.writestr(info, data)
    partial.replace(path)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Build into a folder; 0 done, 2 not possible."""
    parser = argparse.ArgumentParser(prog="build.py", description="make server.jar and client.jar of the demo")
    parser.add_argument("out", type=Path, nargs="?", default=Path("build/java-demo"), help="folder of the jars")
    parser.add_argument("--javac", default="javac", help="the compiler (default: javac)")
    args = parser.parse_args(arguments)
    try:
        for path in build(args.out, args.javac):
            sys.stdout.write(f"{path}\n")
    except BuildError as error:
        sys.stderr.write(f"build.py: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
