"""Snapshots: what is in them, as ConfigMaps, from sources; what is none says why."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from speedscale_controller.snapshots import (
    MAX_BYTES,
    SnapshotError,
    Snapshots,
    config_map,
    config_map_name,
    placeholders,
    read_index,
)
from speedscale_controller.snapshots.config_map import PACKED, files_of, volume
from speedscale_controller.snapshots.sources import Folder, Found
from speedscale_schemas.errors import ConfigError

ID = "5f3f1c1e-6a0e-5a42-9d55-0d3a3c3a6f10"


def files(id_: str = ID, **more: Any) -> dict[str, bytes]:
    entry = {"name": "app", "hostname": "Pay.Example.COM", "port": 443, "protocol": "https", "numRequests": 2}
    manifest = {
        "id": id_,
        "meta": {"name": "checkout"},
        "inTraffic": {"app:checkout.shop.svc:80": {"protocol": "http", "numRequests": 1}},
        "outTraffic": {"app:Pay.Example.COM:443": entry, "other": entry},
        **more,
    }
    return {"snapshot.json": json.dumps(manifest).encode(), "action.jsonl": b"", "reaction.jsonl": b""}


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


# The index


def test_the_index_has_keys_hosts_and_ports() -> None:
    made = read_index(files(), "here")
    assert (made.id, made.name) == (ID, "checkout")
    assert list(made.tests) == ["app:checkout.shop.svc:80"]
    test = made.tests["app:checkout.shop.svc:80"]
    assert (test.service, test.host, test.port, test.protocol) == ("app", "checkout.shop.svc", 80, "http")
    assert {(t.host, t.port) for t in made.mocks.values()} == {("pay.example.com", 443)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "snapshot.json, action.jsonl, reaction.jsonl missing"),
        ({**files(), "snapshot.json": b"{"}, "snapshot.json: no JSON"),
        ({**files(), "snapshot.json": b"[]"}, "expected"),
        ({**files(), "snapshot.json": b'{"meta": {}}'}, "id"),
        (files(inTraffic={f"a:h{n}:1": {} for n in range(10_001)}), "at most 10000"),
    ],
)
def test_what_is_no_snapshot_says_why(given: Mapping[str, bytes], said: str) -> None:
    with pytest.raises(ConfigError, match="here") as caught:
        read_index(given, "here")
    assert said in str(caught.value)


def test_placeholders_of_secrets() -> None:
    text = b'{"a": "${{secret:login/password}} ${{ secret:login/user-name }} ${{env:X}} ${{secret:../etc/passwd}}"}'
    assert list(placeholders(text)) == [("login", "password"), ("login", "user-name")]
    made = read_index({**files(), "action.jsonl": text, "reaction.jsonl": text}, "here")
    assert made.secrets == (("login", "password"), ("login", "user-name"))


# As a ConfigMap


def test_a_snapshot_goes_into_a_config_map_and_comes_back() -> None:
    given = {**files(), "raw.jsonl": b"\xff\xfe"}
    made = config_map(given, namespace="shop")
    assert made["metadata"]["name"] == f"speedscale-snapshot-{ID}"
    assert made["metadata"]["labels"]["speedscale.com/snapshot"] == ID
    assert made["metadata"]["namespace"] == "shop"
    assert files_of(made) == given
    shown, reference = volume(made, ID)
    assert reference == ID
    assert {item["path"] for item in shown["configMap"]["items"]} == {f"{ID}/{name}" for name in given}


def test_what_no_replay_reads_is_left_out_first() -> None:
    made = config_map({**files(), "raw.jsonl": noise(MAX_BYTES)})
    assert set(files_of(made)) == set(files())
    assert PACKED not in made.get("binaryData", {})


def test_a_large_snapshot_is_packed_the_same_way_each_time() -> None:
    given = {**files(), "reaction.jsonl": b'{"a": 1}\n' * MAX_BYTES}
    made = config_map(given)
    assert set(made["binaryData"]) == {PACKED}
    assert made == config_map(dict(reversed(given.items())))
    assert files_of(made) == given
    shown, reference = volume(made, ID)
    assert reference == f"{ID}.tgz"
    assert shown["configMap"]["items"] == [{"key": PACKED, "path": f"{ID}.tgz"}]


def test_the_data_plane_s_reader_takes_it_packed(tmp_path: Path) -> None:
    from speedscale_runtime import snapshot

    made = config_map({**files(), "reaction.jsonl": b"\n" * (MAX_BYTES + 1)})
    import base64

    path = tmp_path / f"{ID}.tgz"
    path.write_bytes(base64.b64decode(made["binaryData"][PACKED]))
    opened = snapshot.open(path)
    assert opened.id == ID
    assert list(opened.tests()) == []


def test_a_snapshot_that_is_too_large_is_refused_with_its_sizes() -> None:
    with pytest.raises(ConfigError, match=r"even when packed .*reaction\.jsonl 2,000,000.*select less"):
        config_map({**files(), "reaction.jsonl": noise(2_000_000)})


def test_a_bomb_is_refused() -> None:
    made = config_map({**files(), "reaction.jsonl": b"\0" * (65 * 1024 * 1024)})
    with pytest.raises(ConfigError, match="when unpacked"):
        files_of(made)


@pytest.mark.parametrize("bad", [{"../x": b""}, {"a/b": b""}, {"..": b""}])
def test_names_that_are_no_keys_are_refused(bad: dict[str, bytes]) -> None:
    with pytest.raises(ConfigError, match="a ConfigMap's key"):
        config_map({**files(), **bad})


@pytest.mark.parametrize(
    ("id_", "plain"), [("a-b.c", True), (ID, True), ("A_b", False), ("a..b", False), ("x" * 250, False)]
)
def test_names_of_config_maps(id_: str, plain: bool) -> None:
    name = config_map_name(id_)
    assert (name == f"speedscale-snapshot-{id_}") == plain
    assert len(name) <= 253
    assert name == name.lower()


# Sources


def put(root: Path, id_: str, made: Mapping[str, bytes]) -> None:
    folder = root / id_
    folder.mkdir()
    for name, data in made.items():
        (folder / name).write_bytes(data)


def test_a_folder_of_snapshots(tmp_path: Path) -> None:
    put(tmp_path, "old", files("old"))
    put(tmp_path, ID, files())
    os.utime(tmp_path / "old" / "snapshot.json", (1, 1))
    source = Snapshots([Folder(tmp_path)])
    assert source.resolve("latest", "shop") == ID
    found = source.get(ID, "shop")
    assert found.index().id == ID
    manifest, copied = found.beside("shop", "copy")
    assert copied
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("copy", "shop")
    with pytest.raises(SnapshotError, match="there is old"):
        source.get("olt", "shop")
    with pytest.raises(SnapshotError):
        source.get("../old", "shop")


def test_latest_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="there is none yet"):
        Snapshots([Folder(tmp_path / "none")]).resolve("latest", "shop")


def test_a_config_map_beside_the_pods_is_used_as_it_is() -> None:
    made = config_map(files(), namespace="shop")
    found = Found(ID, "here", files_of(made), made)
    assert found.beside("shop", "copy") == (made, False)
    assert found.beside("other", "copy")[1]


def test_a_snapshot_under_another_s_name_is_refused() -> None:
    with pytest.raises(SnapshotError, match=f"holds snapshot {ID}, not other"):
        Found("other", "here", files()).index()
