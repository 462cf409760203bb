"""Archives of other builders beside ours: what differs is said, what means nothing is not."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from speedscale_images import build, cache, catalogue, compare, oci
from speedscale_images.tree import Tree

IMAGE = catalogue.load().images["redis"]
CONFIG = build.configuration(IMAGE, "1.0.0")
Member = tuple[str, dict[str, Any], bytes]


def file(name: str, data: bytes = b"", **fields: Any) -> Member:
    return name, {"mode": 0o644, **fields}, data


def folder(name: str) -> Member:
    return name, {"type": tarfile.DIRTYPE, "mode": 0o755}, b""


BASE: tuple[Member, ...] = (
    folder("usr"),
    folder("usr/bin"),
    file("usr/bin/x", b"program", mode=0o755),
    ("usr/bin/y", {"type": tarfile.SYMTYPE, "linkname": "x"}, b""),
    folder("var"),
    folder("var/lib"),
    folder("var/lib/dpkg"),
    folder("var/lib/dpkg/status.d"),
    file("var/lib/dpkg/status.d/libx", b"Package: libx\nVersion: 1.2-3\n"),
)


def layer(members: Sequence[Member], mtime: int = 7) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, fields, data in members:
            info = tarfile.TarInfo(f"./{name}" if name else ".")
            info.mtime, info.size = mtime, len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def docker(path: Path, *layers: bytes, config: dict[str, Any] | None = None) -> Path:
    """An archive as `docker save` writes it."""
    described = [{"Config": "c.json", "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    document = {"architecture": "amd64", "config": CONFIG if config is None else config}
    files = {"manifest.json": json.dumps(described).encode(), "c.json": json.dumps(document).encode()}
    files |= {f"{n}/layer.tar": data for n, data in enumerate(layers)}
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def ours(tmp_path: Path) -> compare.Content:
    """The image as we write it, in two layers."""
    store = cache.Cache(tmp_path / "cache")

    def made(*members: Member) -> Callable[[], cache.Made]:
        tree = Tree()
        for name, fields, data in members:
            if fields.get("type") == tarfile.SYMTYPE:
                tree.link(name, fields["linkname"])
            elif "type" not in fields:
                tree.file(name, data, fields["mode"])
        return lambda: cache.Made(tree, [])

    layers = [store.layer("a", "k", made(*BASE[:3])), store.layer("b", "k", made(*BASE[3:]))]
    written = oci.write(tmp_path / "ours.tar", "localhost/x:v1", "amd64", CONFIG, layers)
    return compare.read(written.path, "amd64")


def told(path: Path, ours: compare.Content) -> list[str]:
    return compare.differences(compare.read(path, "amd64"), ours)


def test_times_layers_and_compression_mean_nothing(tmp_path: Path, ours: compare.Content) -> None:
    root = ("", {"type": tarfile.DIRTYPE, "mode": 0o700}, b"")
    assert told(docker(tmp_path / "one.tar", layer([root, *BASE])), ours) == []
    assert told(docker(tmp_path / "two.tar", layer(BASE[:4]), gzip.compress(layer(BASE[4:], 9))), ours) == []
    assert len(ours.entries) == len(BASE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (file("usr/bin/x", b"another", mode=0o755), ["/usr/bin/x: other content"]),
        (file("usr/bin/x", b"program", mode=0o4755), ["/usr/bin/x: mode 4755 there, 755 here"]),
        (file("usr/bin/x", b"program", mode=0o755, uid=7), ["/usr/bin/x: owner 7:0 there, 0:0 here"]),
        (file("usr/bin/z"), ["/usr/bin/z: only there"]),
        (file("usr/bin/.wh.x"), ["/usr/bin/x: only here"]),
        (file("usr/bin/.wh..wh..opq"), ["/usr/bin/x: only here", "/usr/bin/y: only here"]),
        (("usr/bin/y", {"type": tarfile.SYMTYPE, "linkname": "z"}, b""), ["/usr/bin/y: another target"]),
        (folder("usr/bin/y"), ["/usr/bin/y: folder there, link here"]),
        (
            file("var/lib/dpkg/status.d/libx", b"Package: libx\nVersion: 1.2-4\n"),
            [
                "package libx: 1.2-4 there, 1.2-3 here; --refresh takes the newest here too",
                "/var/lib/dpkg/status.d/libx: other content",
            ],
        ),
    ],
)
def test_what_differs_is_said(tmp_path: Path, ours: compare.Content, change: Member, expected: list[str]) -> None:
    assert told(docker(tmp_path / "x.tar", layer(BASE), layer([change])), ours) == expected


def test_a_hard_link_is_the_file(tmp_path: Path, ours: compare.Content) -> None:
    link = ("usr/bin/z", {"type": tarfile.LNKTYPE, "linkname": "./usr/bin/x", "mode": 0o755}, b"")
    held = compare.read(docker(tmp_path / "x.tar", layer([*BASE, link])), "amd64").entries
    assert held["usr/bin/z"] == held["usr/bin/x"] == ours.entries["usr/bin/x"]


@pytest.mark.parametrize(
    ("setting", "value", "begin"),
    [
        ("User", "root", 'User: "root" there, "2100:2100" here'),
        ("Entrypoint", ["/bin/sh"], 'Entrypoint: ["/bin/sh"] there'),
        ("Env", ["PATH=/"], 'Env: ["PATH=/"] there'),
        ("Cmd", ["x"], 'Cmd: ["x"] there, null here'),
        ("Labels", {}, "Labels: {} there"),
    ],
)
def test_a_setting_that_differs_is_said(
    tmp_path: Path, ours: compare.Content, setting: str, value: Any, begin: str
) -> None:
    found = told(docker(tmp_path / "x.tar", layer(BASE), config={**CONFIG, setting: value}), ours)
    assert [line[: len(begin)] for line in found] == [begin]


def test_a_builder_may_name_itself_and_order_variables(tmp_path: Path, ours: compare.Content) -> None:
    config = {
        **CONFIG,
        "Env": CONFIG["Env"][::-1],
        "Labels": {**CONFIG["Labels"], "io.buildah.version": "1.28.2"},
        "Cmd": [],
    }
    assert told(docker(tmp_path / "x.tar", layer(BASE), config=config), ours) == []


def test_of_an_archive_for_several_architectures_the_right_one_is_read(tmp_path: Path) -> None:
    blobs: dict[str, bytes] = {}

    def blob(value: Any) -> dict[str, Any]:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        digest = f"sha256:{len(blobs)}"
        blobs["blobs/" + digest.replace(":", "/")] = data
        return {"digest": digest}

    manifests = []
    for architecture in ("arm64", "amd64"):
        config = blob({"architecture": architecture, "config": CONFIG})
        manifest = blob({"config": config, "layers": [blob(layer(BASE))]})
        manifests.append({**manifest, "platform": {"architecture": architecture, "os": "linux"}})
    nested = blob({"manifests": manifests})
    blobs["index.json"] = json.dumps({"manifests": [nested]}).encode()
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, data in blobs.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert [compare.read(tmp_path / "x.tar", a).architecture for a in ("amd64", "arm64")] == ["amd64", "arm64"]
    with pytest.raises(catalogue.ConfigError, match="it has nothing for riscv64"):
        compare.read(tmp_path / "x.tar", "riscv64")


@pytest.mark.parametrize("data", [b"", b"no tar", layer([file("x")])])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(catalogue.ConfigError, match=r"x\.tar is no archive of an image \(.*save it as oci-archive"):
        compare.read(tmp_path / "x.tar", "amd64")
