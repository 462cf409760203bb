"""One version: of the members, of what they write into records and onto objects, and of the images in the values."""

from __future__ import annotations

import tomllib
from pathlib import Path

from speedscale_manifests.objects import names
from speedscale_manifests.values import defaults
from speedscale_runtime.recording import capture

ROOT = Path(__file__).resolve().parents[2]


def test_members_constants_and_images_have_the_version_of_the_workspace() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    version = root["project"]["version"]
    for member in root["tool"]["uv"]["workspace"]["members"]:
        project = tomllib.loads((ROOT / member / "pyproject.toml").read_text("utf-8"))["project"]
        assert project["version"] == version, member
    assert version == names.VERSION == capture.VERSION
    assert defaults()["image"]["tag"] == f"v{version}"
