"""Compiled patterns of an image: what they depend on, and what is said where they cannot be made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from speedscale_images import catalogue, closure, patterns, wheels
from speedscale_images.bytecode import Interpreter
from speedscale_images.tree import Tree

from speedscale_schemas.errors import ConfigError

ROOT = catalogue.load().root
MODULES = closure.index(ROOT)


def test_they_are_made_again_where_a_detector_changes_and_nowhere_else(tmp_path: Path) -> None:
    before = patterns.fingerprint(ROOT, MODULES)
    for name, changes in (("speedscale_runtime.dlp.detectors.email", True), ("speedscale_runtime.proxy.relay", False)):
        edited = tmp_path / "edited.py"
        edited.write_bytes(MODULES[name].read_bytes() + b"\n# another\n")
        assert (patterns.fingerprint(ROOT, {**MODULES, name: edited}) != before) is changes


@pytest.mark.parametrize(("program", "said"), [("/bin/true", "nothing was written"), ("/bin/false", "nothing was")])
def test_what_was_not_made_is_told(monkeypatch: pytest.MonkeyPatch, program: str, said: str) -> None:
    monkeypatch.setattr(wheels, "install", lambda *_: [])
    with pytest.raises(ConfigError, match=f"compiled patterns: {said}"):
        patterns.compiled(ROOT, "amd64", lambda _: False, Interpreter(Path(program)))


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the distributions, as with a wheel that does not load here."""

    def broken(*arguments: object) -> list[object]:
        tree = arguments[-1]
        assert isinstance(tree, Tree)
        tree.file(f"{wheels.SITE}/hyperscan/__init__.py", b"raise ImportError('libstdc++.so.6 is not here')")
        return []

    monkeypatch.setattr(wheels, "install", broken)
    with pytest.raises(ConfigError, match=r"compiled patterns: .*(libstdc|hyperscan|ModuleNotFound)"):
        patterns.compiled(ROOT, "amd64", lambda _: False, Interpreter(Path(sys.executable)))
