"""Logs of the pods under test as they may leave the cluster: redacted by the installation's rule and key, or not at
all.

An application writes into its log what it likes, also what was redacted in the recording. A multi-line secret is found
in the text as a whole, a key's name in a line that is JSON; so both are looked at. Fails closed: without rule or key,
or when redaction fails, a log is left out and the report says so. Called by `analysis`, in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from speedscale_runtime import rules
from speedscale_runtime.dlp import Redactor

from .follower import time_of

TOTAL_MAX = 32 * 1024 * 1024
NOT_SHOWN = "logs of the pods under test are left out: {}"


def redactor(rule: str, home: Path, key: Path | None) -> tuple[Redactor | None, str]:
    """Return the redactor, and why there is none though one is wanted; neither where redaction is turned off."""
    if not rule:
        return None, ""
    if key is None or not key.exists():
        return None, NOT_SHOWN.format("the redaction key is not there")
    try:
        return rules.redactor(rule, home, key_path=key), ""
    except Exception as error:  # a broken rule or key must end in leaving out, never in originals
        return None, NOT_SHOWN.format(f"rule {rule!r} or its key cannot be used ({type(error).__name__})")


def write(found: Iterable[tuple[str, bytes]], folder: Path, redact: Redactor | None) -> tuple[int, str]:
    """Write logs as `<folder>/<pod>_<container>.log`; return their bytes, and what was left out."""
    total, cut = 0, 0
    for name, text in found:
        left = TOTAL_MAX - total
        if len(text) > left:
            cut += 1
            text = text[len(text) - left :].partition(b"\n")[2]
        if not text:
            continue
        try:
            data = text if redact is None else redacted(text, redact)
        except Exception as error:
            return total, NOT_SHOWN.format(f"redaction failed ({type(error).__name__})")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name[:95]}.log").write_bytes(data)
        total += len(data)
    return total, f"logs of {cut} containers are cut to their newest lines: there is too much" if cut else ""


def redacted(text: bytes, redact: Redactor) -> bytes:
    """Return a log without what the rule finds in it. The times that the API put before the lines stay."""
    times, said = [], []
    for line in text.splitlines():
        stamp, _, rest = line.partition(b" ")
        known = bool(time_of(stamp.decode("latin-1")))
        times.append(stamp if known else b"")
        said.append(rest if known else line)
    whole, _ = redact.redact_text(b"\n".join(said))
    lines = [_line(line, redact) for line in whole.split(b"\n")]
    if len(lines) == len(times):
        lines = [b"%s %s" % pair if pair[0] else pair[1] for pair in zip(times, lines, strict=True)]
    return b"\n".join(lines) + b"\n"


def _line(line: bytes, redact: Redactor) -> bytes:
    return redact.redact_text(line, "application/json")[0] if line.lstrip()[:1] in (b"{", b"[") else line
