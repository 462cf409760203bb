"""DLP rules by name, as redactors of whole pairs and of live requests.

Called at start. A rule is a built-in one, or a file `<home>/data/dlp/<name>.json`. `dlp` is imported only when a
rule is needed: it costs memory that a responder of unredacted mocks does not have to spend.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError

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
            rule = self._compiled[name] = self._compile(name)
        return rule

    def _compile(self, name: str) -> Rule:
        from speedscale_runtime import dlp, filters

        def compile_filter(document: Mapping[str, Any]) -> Callable[[RRPair], bool]:
            return filters.compile_rule(document).matches

        keys = dlp.KeyRing.load(self._key_path) if self._key_path else dlp.KeyRing.load_or_create(self._home)
        return Rule(name, dlp.compile_rule(self._document(name), keys, compile_filter=compile_filter))

    def _document(self, name: str) -> Mapping[str, Any]:
        from speedscale_runtime import dlp

        path = self._home / "data" / "dlp" / f"{name}.json"
        if "/" not in name and path.is_file():
            try:
                loaded: Mapping[str, Any] = orjson.loads(path.read_bytes())
            except (OSError, orjson.JSONDecodeError) as error:
                raise ConfigError([f"{path}: {error}"]) from error
            return loaded
        try:
            return dlp.builtin(name)
        except (KeyError, ConfigError) as error:
            raise ConfigError([f"dlp rule {name!r}: neither built in nor in {path.parent}"]) from error
