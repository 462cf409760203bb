"""Text that leaves the cluster, redacted: log lines, messages of Events, configuration.

The rule is the built-in that the settings name; the key is made at the start and never leaves this process, so tokens
of one run compare with each other and with nothing else. What a line alone does not show is held back: the inside of
a PEM block, and lines that are nothing but base64. Off (WITH_DLP=false) means: as it is.
"""

from __future__ import annotations

import re
import secrets
import threading
from functools import cached_property
from typing import Final

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule

SHOWN_BYTES: Final = 16 * 1024
"""Longest line that is shown; the rest is cut, and said to be."""
_EDGE_BYTES: Final = 1024
_BASE64: Final = re.compile(rb"\s*[A-Za-z0-9+/_-]{40,}={0,2}\s*")
_HELD: Final = b"[left out: encoded data]"
_BEGIN, _END = b"-----BEGIN ", b"-----END "


class Redaction:
    """Redacts text; any thread may call it. `rule` empty: nothing is redacted. Compiled by `begin`, or when needed."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._lock = threading.Lock()

    @cached_property
    def _redactor(self) -> Redactor:
        return compile_rule(builtin(self._rule), KeyRing({"inspector": secrets.token_bytes(32)}))

    def check(self) -> None:
        """ConfigError or KeyError where there is no such rule."""
        if self._rule:
            builtin(self._rule)

    def begin(self) -> threading.Thread:
        """Compile on a thread of its own: it takes seconds of a processor, which the first command would wait for."""
        thread = threading.Thread(target=self.clean, args=(b"",), name="redaction", daemon=True)
        thread.start()
        return thread

    def clean(self, data: bytes) -> bytes:
        """Return a text without what the rule finds."""
        if not self._rule:
            return data
        with self._lock:
            return self._redactor.redact_text(data)[0]

    def text(self, text: str) -> str:
        """The same for text."""
        return self.clean(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")

    def lines(self) -> Lines:
        """Return what redacts the lines of one log."""
        return Lines(self)


class Lines:
    """The lines of one log, in order: remembers whether it is inside a PEM block."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._pem = False

    def shown(self, line: bytes, *, whole: bool = True) -> tuple[str, bool]:
        """Return what may be shown of a line, and whether it was cut.

        A piece of a line that is not `whole` was cut inside a value, maybe: its end is not shown.
        """
        clean = self._clean(line.rstrip(b"\r"))
        most = SHOWN_BYTES if whole else min(SHOWN_BYTES, max(0, len(clean) - _EDGE_BYTES))
        cut = not whole or len(clean) > most
        return clean[:most].decode("utf-8", "replace"), cut

    def _clean(self, line: bytes) -> bytes:
        if not self._redaction._rule:
            return line
        was, self._pem = self._pem, self._inside(line)
        if was or _BASE64.fullmatch(line):
            return _HELD
        if self._pem:
            return self._redaction.clean(line[: line.rfind(_BEGIN)]) + _HELD
        return self._redaction.clean(line)

    def _inside(self, line: bytes) -> bool:
        begin, end = line.rfind(_BEGIN), line.rfind(_END)
        return begin > end if begin != end else self._pem
