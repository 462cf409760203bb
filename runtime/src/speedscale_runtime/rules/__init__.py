"""Rules by name, compiled: the step from what a setting or a flag says to what a service applies.

Forwarder, responder, generator and verbs all call this, so that one name means one rule everywhere and chains inside
DLP rules can use filters. Hyperscan and the detectors are loaded only when a rule is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speedscale_runtime import home as homes

if TYPE_CHECKING:
    from speedscale_runtime.dlp import KeyRing, Redactor
    from speedscale_runtime.filters import Rule


def filter_rule(reference: str, home: Path, *, files: bool = False) -> Rule:
    """Return a compiled filter rule; ConfigError when there is none of that name or it is wrong."""
    from speedscale_runtime import filters

    document, source = homes.find("filter-rule", reference, home, files=files)
    return filters.compile_rule({**document, "id": document.get("id") or reference}, source=source)


def redactor(reference: str, home: Path, *, key_path: Path | None = None, files: bool = False) -> Redactor:
    """Return a compiled DLP rule; ConfigError when there is none of that name, or rule or key are wrong.

    The key comes from `key_path` (a file or a mounted Secret), else from `home`, where it is made when missing.
    """
    return compiled(homes.find("dlp-rule", reference, home, files=files).document, home, key_path=key_path)


def compiled(document: Mapping[str, Any], home: Path, *, key_path: Path | None = None) -> Redactor:
    """Return a DLP rule's document compiled, chains and all; ConfigError when rule or key are wrong."""
    from speedscale_runtime import dlp

    keys = dlp.KeyRing.load(key_path) if key_path else dlp.KeyRing.load_or_create(home)
    return compiled_under(document, keys, cache=homes.cache(home, "patterns"))


def compiled_under(document: Mapping[str, Any], keys: KeyRing, *, cache: Path | None = None) -> Redactor:
    """Return a DLP rule's document compiled under given keys, chains and all; ConfigError when the rule is wrong.

    `cache` is a folder where compiled patterns rest between processes; without one they are compiled here.
    """
    from speedscale_runtime import dlp, filters

    return dlp.compile_rule(document, keys, compile_filter=lambda spec: filters.compile_rule(spec).matches, cache=cache)
