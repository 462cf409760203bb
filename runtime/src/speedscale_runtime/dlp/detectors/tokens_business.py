"""Tokens of shops, payment and office services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

_UUID_TAIL = "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SAMPLE = "-0123-4567-89ab-0123456789ab"

DETECTORS = (
    detector("shopify", Token("shp(?:at|ca|pa|ss|ua)_", "HEX", 32, sample="shpat_")),
    detector("square", Token("sq0(?:atp|csp|idp)-", "url", 22, 43, sample="sq0atp-"), Token("EAAA", "url", 60)),
    detector(
        "braintree",
        Token(
            r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$",
            "hex",
            32,
            sample="access_token$sandbox$0a1b2c3d4e5f6g7h$",
        ),
    ),
    detector("razorpay", Token("rzp_(?:live|test)_", "alnum", 14, 24, sample="rzp_live_")),
    detector("flutterwave", Token("FLWSECK(?:_TEST)?-", "hex", 12, 40, "(?:-X)?", sample="FLWSECK-")),
    detector(
        "plaid",
        Token(
            "access-(?:sandbox|development|production)-",
            "hex",
            8,
            8,
            _UUID_TAIL,
            sample="access-sandbox-",
            sample_tail=_SAMPLE,
        ),
    ),
    detector("mollie", Token("(?:live|test)_", "alnum", 30, sample="live_")),
    detector(
        "adyen",
        Token(
            "AQE[0-9A-Za-z]",
            "base64",
            60,
            300,
            "={0,2}(?:-[0-9A-Za-z+/=]{20,80}-[0-9A-Za-z<>{}|]{10,40})?",
            sample="AQEy",
        ),
    ),
    detector("easypost", Token("EZ[AT]K", "alnum", 54, sample="EZAK")),
    detector("shippo", Token("shippo_(?:live|test)_", "hex", 40, sample="shippo_live_")),
    detector("duffel", Token("duffel_(?:test|live)_", "url", 43, sample="duffel_test_")),
    detector("lob", Token("(?:live|test)_(?:pub_)?", "hex", 35, sample="live_")),
    detector("notion", Token("(?:secret|ntn)_", "alnum", 43, 50, sample="ntn_")),
    detector("airtable", Token(r"pat[0-9A-Za-z]{14}\.", "hex", 64, sample="pataB3dE5fG7hJ9kL.")),
    detector("figma", Token("fig[dour]r?_", "url", 40, 60, sample="figd_")),
    detector("asana", Token("[0-9]/[0-9]{16}(?:/[0-9]{16})?:", "hex", 32, sample="1/1234567890123456:")),
    detector("contentful", Token("CFPAT-", "url", 43)),
    detector("typeform", Token("tfp_", "url", 40, 64)),
    detector("dropbox", Token(r"sl\.(?:u\.)?", "url", 130, 1500, sample="sl.")),
    detector(
        "mapbox", Token(r"sk\.eyJ1", "url", 40, 300, r"\.[0-9A-Za-z_\-]{20,24}", sample_tail=".aB3dE5fG7hJ9kL1mN2pQ4r")
    ),
    detector("frameio", Token("fio-u-", "url", 64)),
)
