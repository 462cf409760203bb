"""The demo's runtime: cut to the modules that are named, which are those that its classes use."""

from __future__ import annotations

from pathlib import Path

from speedscale_images import java

ROOT = Path(__file__).resolve().parents[3]


def test_the_modules_are_named_one_a_line() -> None:
    named = java.modules(ROOT / "runtime" / "images" / "java-demo")
    assert "java.base" in named
    assert list(named) == sorted(set(named))


def test_other_modules_than_those_that_are_used_are_refused() -> None:
    assert java.unlike(["java.base", "jdk.crypto.ec"], {"java.base"}) == []
    assert java.unlike(["java.base", "java.sql"], {"java.base", "java.net.http"}) == [
        "add java.net.http: the demo uses it",
        "add jdk.crypto.ec: the demo uses it",
        "take java.sql out: the demo does not use it",
    ]
