"""Tokens of clouds and hosting services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

DETECTORS = (
    detector("digitalocean", Token("do[opr]_v1_", "hex", 64, sample="dop_v1_")),
    detector("heroku", Token("HRKU-", "url", 36, 64)),
    detector("fly", Token("fo1_", "url", 43), Token("fm[12][ar]?_", "base64", 100, 2000, "={0,3}", sample="fm2_")),
    detector("netlify", Token("nfp_", "alnum", 36, 40)),
    detector("supabase", Token("sb(?:p_|_secret_)", "url", 31, 60, sample="sbp_")),
    detector("planetscale", Token("pscale_(?:tkn|pw|oauth)_", "url", 32, 64, sample="pscale_tkn_")),
    detector("databricks", Token("dapi", "hex", 32, 32, "(?:-[0-9])?")),
    detector(
        "doppler", Token(r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_\-]{2,35}\.)?", "alnum", 40, 44, sample="dp.pt.")
    ),
    detector("vault", Token(r"hv[sbr]\.", "url", 24, 300, sample="hvs.")),
    detector("azure_storage", Token("AccountKey=", "base64", 86, 86, "==", sample_tail="==")),
    detector("azure_secret", Token("[0-9A-Za-z_~.]{3}[78]Q~", "url", 31, 34, sample="aB38Q~")),
    detector("azure_signature", Token("[?&]sig=", "base64", 40, 64, "(?:=|%3[dD])?", sample="?sig=")),
    detector("alibaba", Token("LTAI", "alnum", 12, 24)),
    detector("tencent", Token("AKID", "alnum", 32)),
    detector(
        "amazon_mws",
        Token(
            r"amzn\.mws\.",
            "hex",
            8,
            8,
            "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            sample_tail="-0123-4567-89ab-0123456789ab",
        ),
    ),
    detector("amazon_bedrock", Token("ABSK", "base64", 100, 280, "={0,2}")),
    detector(
        "yandex",
        Token(r"t1\.[0-9A-Za-z_\-]{4,400}={0,2}\.", "url", 86, 86, "={0,2}", sample="t1.9euelZ."),
        Token("AQVN", "url", 35, 38),
    ),
    detector(
        "cloudflare_origin",
        Token(r"v1\.0-", "hex", 24, 24, "-[0-9a-f]{146}", sample_tail="-" + "0123456789abcdef" * 9 + "01"),
    ),
    detector("oracle_okta", Token("SSWS ", "url", 40, 44)),
    detector("age", Token("AGE-SECRET-KEY-1", "upper", 58)),
    detector(
        "onepassword",
        Token("ops_eyJ", "base64", 100, 4000, "={0,2}"),
        Token(
            "A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})-[0-9A-Z]{5}-[0-9A-Z]{5}-",
            "upper",
            5,
            sample="A3-ASWWYB-798JRYLJVD4-23DC2-86TVM-",
        ),
    ),
    detector("kubeconfig", Token("kubeconfig-[a-z]-[0-9a-z]{5}:", "lower", 54, sample="kubeconfig-u-abcde:")),
)
