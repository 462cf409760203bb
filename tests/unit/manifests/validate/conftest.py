"""A whole output on disk, as the synthesis leaves it, and what the tests do to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from speedscale_manifests import synth, validate
from speedscale_manifests.output import Writer, render
from speedscale_manifests.validate import Options, Report
from speedscale_manifests.values import from_mapping


@pytest.fixture(scope="session")
def rendered() -> Mapping[str, bytes]:
    values = from_mapping({})
    return render(synth.placed(values), values.namespace)


@pytest.fixture
def dist(tmp_path: Path, rendered: Mapping[str, bytes]) -> Path:
    """The default installation in a folder of its own."""
    Writer(tmp_path / "dist").write(rendered)
    return tmp_path / "dist"


@pytest.fixture
def check() -> Callable[..., Report]:
    """Run all steps but the cluster's on a folder."""

    def run(*paths: Path, **options: Any) -> Report:
        given = {"versions": validate.chosen("newest"), "server": "never", **options}
        return validate.run(Options(paths=paths, **given))

    return run
