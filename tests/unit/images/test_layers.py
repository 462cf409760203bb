"""Trees, layers in the cache, archives: equal content is equal bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

import pytest
from speedscale_images import build, bytecode, cache, catalogue, elf, oci, sbom
from speedscale_images.tree import Tree, normal

LIBRARY = Path(sysconfig.get_path("platlib"))


def tree(*names: str) -> Tree:
    made = Tree()
    for name in names:
        made.file(name, name.encode(), 0o4755)
    return made


def test_order_of_making_does_not_matter() -> None:
    assert tree("b/x", "a", "b-c").tar() == tree("a", "b-c", "b/x").tar()


def test_a_layer_has_parents_first_and_nothing_of_this_machine() -> None:
    with tarfile.open(fileobj=io.BytesIO(tree("usr/bin/x", "usr.d/y").tar())) as archive:
        members = archive.getmembers()
    assert [m.name for m in members] == ["usr", "usr/bin", "usr/bin/x", "usr.d", "usr.d/y"]
    assert {(m.mtime, m.uid, m.gid, m.uname) for m in members} == {(0, 0, 0, "")}
    assert {m.mode for m in members if m.isfile()} == {0o755}, "set-uid bits stay out"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/lib/x.so", "usr/lib/x.so"), ("./bin/a", "usr/bin/a"), ("lib", "lib"), ("library/x", "library/x")],
)
def test_merged_folders(path: str, expected: str) -> None:
    assert normal(path) == expected


@pytest.mark.parametrize("path", ["", "/", "../x", "a/../../x"])
def test_a_path_that_leaves_the_root_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path in an image"):
        normal(path)


def test_a_layer_is_made_once(tmp_path: Path) -> None:
    store, calls = cache.Cache(tmp_path), []

    def make() -> cache.Made:
        calls.append(1)
        return cache.Made(tree("usr/bin/x", "usr/lib/libx.so.1"), [("own", "x", "1", "Apache-2.0")])

    first, second = (store.layer("x", cache.key("a"), make) for _ in range(2))
    assert first == second
    assert calls == [1]
    data = first.blob.read_bytes()
    assert first.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert first.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(data)).hexdigest()}"
    assert (first.programs, first.libraries) == (("x",), ("libx.so.1",))
    store.layer("x", cache.key("b"), make)
    assert calls == [1, 1], "other inputs, another layer"


def test_a_layer_without_its_blob_is_made_again(tmp_path: Path) -> None:
    store = cache.Cache(tmp_path)
    first = store.layer("x", "k", lambda: cache.Made(tree("a"), []))
    first.blob.unlink()
    assert store.layer("x", "k", lambda: cache.Made(tree("a"), [])).blob.is_file()


def test_layers_that_nobody_asks_for_go(tmp_path: Path) -> None:
    store = cache.Cache(tmp_path)
    old, new = (store.layer(name, "k", lambda: cache.Made(tree("a"), [])) for name in ("old", "new"))
    os.utime(old.blob, (0, 0))
    store.prune(new.blob.stat().st_mtime)
    assert not old.blob.exists()
    assert new.blob.exists()


def layer(tmp_path: Path, **changes: Any) -> cache.Layer:
    made = cache.Cache(tmp_path).layer("x", "k", lambda: cache.Made(tree("usr/lib/libx.so.1"), []))
    return cache.Layer(**{**made.__dict__, **changes})


def test_an_archive_is_whole_and_says_its_name(tmp_path: Path) -> None:
    config = build.configuration(catalogue.load().images["goproxy"], "1.2.3")
    written = oci.write(tmp_path / "x.tar", "localhost/speedscale/x:v1.2.3", "arm64", config, [layer(tmp_path)])
    with tarfile.open(written.path) as archive:
        blobs = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    assert json.loads(blobs.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    entry = json.loads(blobs.pop("index.json"))["manifests"][0]
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/speedscale/x:v1.2.3"
    assert entry["digest"] == written.digest
    for name, data in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    manifest = json.loads(blobs[f"blobs/{written.digest.replace(':', '/')}"])
    described = [manifest["config"], *manifest["layers"]]
    assert [len(blobs["blobs/" + d["digest"].replace(":", "/")]) for d in described] == [d["size"] for d in described]
    configuration = json.loads(blobs["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert (configuration["architecture"], configuration["config"]["User"]) == ("arm64", "2102:2102")


def test_an_archive_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    def write(name: str) -> int:
        oci.write(tmp_path / "x.tar", f"localhost/{name}:v1", "amd64", {}, [layer(tmp_path)])
        return (tmp_path / "x.tar").stat().st_ino

    first = write("a")
    assert write("a") == first
    assert write("b") != first
    (tmp_path / "x.tar").write_bytes((tmp_path / "x.tar").read_bytes()[:700])
    cut = (tmp_path / "x.tar").stat().st_ino
    assert write("b") != cut, "half an archive is no archive"


def test_what_must_not_be_in_an_image_is_named(tmp_path: Path) -> None:
    image = catalogue.load().images["goproxy"]
    wrong = [
        layer(tmp_path, programs=("gcc", "sh", "speedscale-goproxy")),
        layer(tmp_path, packages=(("pypi", "hyperscan", "1", ""), ("pypi", "setuptools", "1", ""))),
        layer(tmp_path, needs=("libx.so.1", "libgone.so.2")),
    ]
    said = build.problems(image, wrong)
    assert [message.split(" holds ")[-1].split(" lacks ")[-1].split(":")[0].split(",")[0] for message in said] == [
        "the distribution hyperscan",
        "the distribution setuptools",
        "gcc",
        "sh",
        "libgone.so.2",
    ]
    assert build.problems(image, [layer(tmp_path)]) == []


def libraries() -> list[Path]:
    return sorted(LIBRARY.glob("uvloop/*.so")) + sorted(LIBRARY.glob("zstandard/backend_c*.so"))


@pytest.mark.parametrize("path", libraries(), ids=lambda path: path.parent.name)
def test_a_stripped_library_is_smaller_and_loads(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    slim = elf.strip(data)
    assert len(slim) < len(data)
    assert elf.strip(slim) == slim
    assert elf.needs(slim) == elf.needs(data) != []
    (tmp_path / path.name).write_bytes(slim)
    code = f"import ctypes; ctypes.CDLL({str(tmp_path / path.name)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100)])
def test_what_is_no_library_stays(data: bytes) -> None:
    assert elf.strip(data) == data
    assert elf.needs(data) == []


def test_bytecode_is_never_checked_and_always_the_same() -> None:
    def compiled() -> dict[str, bytes]:
        made = Tree()
        made.file("opt/x/a.py", b"NAMES = {'b', 'a'}\ndef f():\n    return NAMES & {'c', 'd', 'e'}\n")
        bytecode.precompile(made, ["opt"], bytecode.Interpreter(Path(sys.executable)))
        return {path: entry.data or b"" for path, entry in made if path.endswith(".pyc")}

    first = compiled()
    assert list(first) == ["opt/x/__pycache__/a.cpython-311.pyc"]
    assert next(iter(first.values()))[4:8] == b"\x01\x00\x00\x00", "by hash, unchecked (PEP 552)"
    assert compiled() == first
    assert b"/opt/x/a.py" in next(iter(first.values())), "tracebacks name the path in the image"


def test_python_that_does_not_compile_is_refused() -> None:
    made = Tree()
    made.file("opt/x/a.py", b"def (:\n")
    with pytest.raises(catalogue.ConfigError, match="bytecode"):
        bytecode.precompile(made, ["opt"], bytecode.Interpreter(Path(sys.executable)))


def test_the_bill_of_materials_is_the_same_each_time() -> None:
    image = catalogue.load().images["goproxy"]
    packages = [("pypi", "uvloop", "1", "MIT"), ("deb", "libc6", "2.36-9+deb12u14", "amd64"), ("own", "x", "1", "MIT")]
    one, two = (sbom.document(image, "1", "amd64", order) for order in (packages, packages[::-1]))
    assert one == two
    purls = [component.get("purl") for component in json.loads(one)["components"]]
    assert purls == ["pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64", None, "pkg:pypi/uvloop@1"]
