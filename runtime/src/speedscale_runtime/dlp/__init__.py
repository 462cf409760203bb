"""Data loss prevention: finds personal data and secrets in pairs and puts keyed tokens in their place.

The forwarder calls it before anything rests on a disk, the responder before it compares a live request with
redacted mocks, `speedctl dlp` over files. Pure: rules and keys come in, bytes go out; no sockets, and no files but
the key file. Invariants: no original value in the output under any encoding that is undone here; redacting twice
changes nothing; what is clean stays byte-identical; the same value gives the same token everywhere.
"""

from __future__ import annotations

from .findings import Finding, Outcome
from .keys import KeyRing
from .redactor import Redactor, compile_rule
from .rules import builtin

__all__ = ["Finding", "KeyRing", "Outcome", "Redactor", "builtin", "compile_rule"]
