"""Tokens of monitoring and feature-flag services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

_UUID_TAIL = "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

DETECTORS = (
    detector(
        "sentry", Token("sntryu_", "hex", 64), Token("sntrys_eyJ", "base64", 80, 500, "={0,2}_?[0-9A-Za-z+/]{0,64}")
    ),
    detector(
        "newrelic",
        Token("NR(?:AK|II|RA|AL)-", "upper", 27, 40, sample="NRAK-"),
        Token("NRJS-", "hex", 19),
        Token("eu01xx", "hex", 30, 34, "NRAL", sample_tail="NRAL"),
    ),
    detector(
        "grafana",
        Token("glsa_", "alnum", 32, 32, "_[0-9A-Fa-f]{8}", sample_tail="_0123abcd"),
        Token("glc_eyJ", "base64", 40, 400, "={0,2}"),
    ),
    detector(
        "dynatrace", Token(r"dt0[a-z][0-9]{2}\.[0-9A-Z]{24}\.", "upper", 64, sample="dt0c01.A0B1C2D3E4F5G6H7I8J9K2M3.")
    ),
    detector(
        "launchdarkly",
        Token("(?:sdk|api|mob)-", "hex", 8, 8, _UUID_TAIL, sample="sdk-", sample_tail="-0123-4567-89ab-0123456789ab"),
    ),
    detector("honeycomb", Token("hc[abi][a-z][ik]_", "lower", 54, 60, sample="hcaik_")),
    detector("statsig", Token("secret-", "alnum", 43)),
    detector("posthog", Token("ph[xcr]_", "alnum", 40, 50, sample="phx_")),
)
