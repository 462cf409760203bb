"""The table of this member's verbs, read by speedctl's root without importing their modules."""

from __future__ import annotations

from speedscale_schemas.verbs import Verb

VERBS: tuple[Verb, ...] = ()
