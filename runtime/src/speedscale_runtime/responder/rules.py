"""DLP rules by name, as redactors of whole pairs and of live requests.

Called at start. A rule is a built-in one, or a file `<home>/data/dlp/<name>.json`. `dlp` is imported only when a
rule is needed: it costs memory that a responder of unredacted mocks does not have to spend.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from speedscale_runtime import rules
from speedscale_runtime.rrpair import RRPair

if TYPE_CHECKING:
    from speedscale_runtime.dlp import Redactor


class Rule:
    """One compiled rule."""

    def __init__(self, name: str, redactor: Redactor) -> None:
        self.name, self._redactor = name, redactor

    def request(self, pair: RRPair) -> RRPair:
        """Return a live request after the rule."""
        return self._redactor.redact_request(pair).pair

    def whole(self, pair: RRPair) -> RRPair:
        """Return a whole pair after the rule, marked with the rule's name; the one given is left as it is."""
        outcome = self._redactor.redact_pair(pair)
        redacted = copy.copy(outcome.pair)  # the very pair when nothing was found
        redacted.doc = {**redacted.doc, "dlpRule": self.name}
        if outcome.modified:
            redacted.doc["dlpModified"] = True
        return redacted


class Rules:
    """Compiles rules by name, each once, with the keys at `key_path`, else those under `home`."""

    def __init__(self, home: Path, key_path: Path | None = None) -> None:
        self._home, self._key_path = home, key_path
        self._compiled: dict[str, Rule] = {}

    def get(self, name: str) -> Rule:
        """Return a rule; ConfigError when there is none of that name or it is wrong."""
        rule = self._compiled.get(name)
        if rule is None:
            compiled = rules.redactor(name, self._home, key_path=self._key_path)
            rule = self._compiled[name] = Rule(name, compiled)
        return rule
