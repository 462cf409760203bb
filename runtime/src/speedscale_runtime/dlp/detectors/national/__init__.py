"""National identifiers: what each country checks, in running text behind a word for it, and by the names of fields.

One file a region, one `Scheme` a kind; a new one is an entry there. What needs no check, since the name of its field
says what it is, is in `general`.
"""

from __future__ import annotations

from . import (
    africa_middle_east_oceania,
    asia,
    britain_ireland,
    central_europe,
    eastern_europe,
    france_benelux,
    general,
    latin_america,
    nordics_baltics,
    north_america,
    southern_europe,
)
from .base import Scheme, detectors, key_rules

SCHEMES: tuple[Scheme, ...] = (
    *north_america.SCHEMES,
    *latin_america.SCHEMES,
    *britain_ireland.SCHEMES,
    *france_benelux.SCHEMES,
    *central_europe.SCHEMES,
    *southern_europe.SCHEMES,
    *nordics_baltics.SCHEMES,
    *eastern_europe.SCHEMES,
    *asia.SCHEMES,
    *africa_middle_east_oceania.SCHEMES,
)
DETECTORS = detectors(SCHEMES)
KEY_RULES = (general.rule(SCHEMES), *key_rules(SCHEMES))
