"""Containerfiles say what the table says, and their first stage has all that the builder needs of Python."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from speedscale_images import build, catalogue, closure, containerfile, native, requirements

TABLE = catalogue.load()
IMAGES = list(TABLE.images.values())
BY_NAME = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)


def lines(image: catalogue.Image) -> list[str]:
    text = (TABLE.folder(image) / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line and not line.startswith("#")]


def test_there_is_one_for_each_image_and_for_nothing_else() -> None:
    found = {path.parent.name for path in (TABLE.root / "runtime" / "images").glob("*/Containerfile")}
    assert found == set(TABLE.images)


@BY_NAME
def test_the_second_stage_is_the_configuration_of_the_archive(image: catalogue.Image) -> None:
    last = lines(image)[lines(image).index("FROM scratch") + 1 :]
    said = {verb: [line.partition(" ")[2] for line in last if line.startswith(f"{verb} ")] for verb in (
        "COPY", "LABEL", "ENV", "WORKDIR", "USER", "ENTRYPOINT"
    )}  # fmt: skip
    assert sum(map(len, said.values())) == len(last), "nothing else stands there"
    config = build.configuration(image, TABLE.version)
    assert said["COPY"] == ["--from=build /image/ /"]
    assert dict(_pair(item) for item in said["LABEL"]) == config["Labels"]
    assert [f"{name}={value}" for name, value in map(_pair, said["ENV"])] == config["Env"]
    assert (said["WORKDIR"], said["USER"]) == ([config["WorkingDir"]], [config["User"]])
    assert json.loads(said["ENTRYPOINT"][0]) == config["Entrypoint"]


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, json.loads(value)


@BY_NAME
def test_the_first_stage_builds_this_image_with_the_compilers_it_needs(image: catalogue.Image) -> None:
    install, run = (line for line in lines(image) if line.startswith("RUN "))
    assert f"-m speedscale_images {image.name} --root /image" in run
    assert set(native.BUILD) <= set(install.split()) if image.native else "gcc" not in install.split()


@BY_NAME
def test_every_folder_that_is_looked_into_is_copied(image: catalogue.Image) -> None:
    copied = {line.split()[1] for line in lines(image) if line.startswith("COPY ") and "--from" not in line}
    run = next(line for line in lines(image) if "speedscale_images" in line)
    looked = re.search(r"PYTHONPATH=(\S+)", run)
    assert looked is not None
    folders = [folder.removeprefix("/src/") for folder in looked[1].split(":")]
    assert {folder.partition("/")[0] for folder in folders} <= copied
    assert {f"{member}/src" for member in closure.SOURCES.values()} < set(folders)
    assert {member.partition("/")[0] for member in TABLE.projects} <= copied, "their pyproject files are read"
    sent = {line[1:] for line in (TABLE.root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent, "an engine is sent what is copied, and not the rest of a checkout"


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a Containerfile's first stage: Python with `packaging`, our sources, nothing else."""
    spec = importlib.util.find_spec("packaging")
    assert spec is not None
    assert spec.origin is not None
    (tmp_path / "packaging").symlink_to(Path(spec.origin).parent)
    path = [str(TABLE.root / folder) for folder in containerfile.PYTHONPATH]
    return {**os.environ, "PYTHONPATH": ":".join([*path, str(tmp_path)]), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_first_stage_finds_the_same_members_as_this_machine(bare: dict[str, str]) -> None:
    """speedctl's verbs are entry points; no member is installed there, and an image would lack most of them."""
    code = (
        "import json; from speedscale_images import __main__, catalogue, closure, requirements\n"
        "t = catalogue.load(); m = closure.index(t.root)\n"
        "print(json.dumps({i.name: requirements.imports(i, t, m).members for i in t.images.values()}))"
    )
    ran = subprocess.run([sys.executable, "-S", "-c", code], env=bare, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    modules = closure.index(TABLE.root)
    here = {image.name: list(requirements.imports(image, TABLE, modules).members) for image in IMAGES}
    assert json.loads(ran.stdout) == here
    assert set(here["speedctl"]) == set(closure.SOURCES.values())
