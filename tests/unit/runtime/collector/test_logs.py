"""Logs leave redacted or not at all."""

from __future__ import annotations

from pathlib import Path

from speedscale_runtime import dlp
from speedscale_runtime.collector import logs

SECRET = "jane.doe@example-shop.com"
KEYS = dlp.KeyRing({"k1": bytes(range(32))})


def redactor() -> dlp.Redactor:
    return dlp.compile_rule(dlp.builtin("standard"), KEYS)


def test_no_original_leaves_and_times_stay() -> None:
    text = f'2026-01-02T03:04:05.1Z user {SECRET} came\n2026-01-02T03:04:06Z {{"password":"hunter22"}}\n'.encode()
    made = logs.redacted(text, redactor())
    assert SECRET.encode() not in made
    assert b"hunter22" not in made
    first, second = made.splitlines()
    assert first.startswith(b"2026-01-02T03:04:05.1Z user REDACTED-")
    assert second.startswith(b"2026-01-02T03:04:06Z {")


def test_what_is_clean_stays() -> None:
    text = b"2026-01-02T03:04:05Z listening on 8080\nno time here\n"
    assert logs.redacted(text, redactor()) == text


def test_without_key_or_rule_nothing_leaves(tmp_path: Path) -> None:
    made, why = logs.redactor("standard", tmp_path, tmp_path / "none")
    assert (made, "the redaction key is not there" in why) == (None, True)
    assert logs.redactor("", tmp_path, None) == (None, "")


def test_a_redaction_that_fails_leaves_the_log_out(tmp_path: Path) -> None:
    class Broken:
        def redact_text(self, data: bytes, content_type: str = "") -> tuple[bytes, tuple[()]]:
            raise RuntimeError(SECRET)

    _, why = logs.write([("pod_app", b"x\n")], tmp_path / "out", Broken())  # type: ignore[arg-type]
    assert "redaction failed (RuntimeError)" in why
    assert SECRET not in why
    assert not (tmp_path / "out").exists()
