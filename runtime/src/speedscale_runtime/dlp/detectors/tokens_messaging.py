"""Tokens of mail, chat and telephone services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

DETECTORS = (
    detector("sendgrid", Token(r"SG\.[0-9A-Za-z_\-]{16,32}\.", "url", 16, 64, sample="SG.aB3dE5fG7hJ9kL1mN2pQ4r.")),
    detector("twilio", Token("SK", "hex", 32)),
    detector("mailgun", Token("(?:pub)?key-", "hex", 32, 32, "(?:-[0-9a-f]{8}-[0-9a-f]{8})?", sample="key-")),
    detector(
        "brevo",
        Token("xkeysib-", "hex", 64, 64, "-[0-9A-Za-z]{16}", sample_tail="-aB3dE5fG7hJ9kL1m"),
        Token("xsmtpsib-", "hex", 64, 64, "-[0-9A-Za-z]{16}", sample_tail="-aB3dE5fG7hJ9kL1m"),
    ),
    detector("resend", Token("re_[0-9A-Za-z]{8}_", "alnum", 20, 32, sample="re_aB3dE5fG_")),
    detector("telegram", Token("[0-9]{8,10}:AA", "url", 33, sample="123456789:AA")),
    detector(
        "discord_webhook",
        Token(
            r"(?<=api/webhooks/)[0-9]{17,20}/",
            "url",
            60,
            72,
            sample="https://discord.com/api/webhooks/123456789012345678/",
        ),
    ),
    detector(
        "teams_webhook",
        Token(
            r"(?<=webhookb2/)[0-9a-f\-]{36}@[0-9a-f\-]{36}/IncomingWebhook/",
            "hex",
            32,
            32,
            "/[0-9a-f\\-]{36}[0-9A-Za-z_/\\-]{0,64}",
            sample="https://example.webhook.office.com/webhookb2/01234567-89ab-cdef-0123-456789abcdef"
            "@01234567-89ab-cdef-0123-456789abcdef/IncomingWebhook/",
            sample_tail="/01234567-89ab-cdef-0123-456789abcdef",
        ),
    ),
    detector("facebook", Token("EAA", "alnum", 60, 300)),
    detector("twitter", Token("AAAAAAAAAAAAAAAAAAAAA", "alnum", 60, 120, "(?:%3D)?[0-9A-Za-z%]{0,80}")),
    detector(
        "hubspot",
        Token(
            "pat-(?:na|eu|ap)[0-9]-",
            "hex",
            8,
            8,
            "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            sample="pat-na1-",
            sample_tail="-0123-4567-89ab-0123456789ab",
        ),
    ),
    detector("intercom", Token("dG9rOj", "base64", 50, 80, "={0,2}")),
    detector("courier", Token("pk_(?:prod|test)_", "upper", 28, sample="pk_prod_")),
)
