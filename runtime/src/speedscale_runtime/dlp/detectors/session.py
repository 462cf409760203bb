"""Session identifiers by the name they stand under: cookies of the common frameworks, `session_id` and kin."""

from __future__ import annotations

from .base import KeyRule


def _accept(value: bytes) -> str:
    text = value.strip()
    if len(text) < 8 or b" " in text:
        return ""
    return "an identifier under a key for sessions" if any(48 <= c <= 57 for c in text) or len(text) >= 20 else ""


KEY_RULES = (
    KeyRule(
        name="session",
        kind="SECRET",
        names=(
            "session",
            "session id",
            "sessionid",
            "jsessionid",
            "phpsessid",
            "sessid",
            "aspsessionid",
            "connect sid",
            "laravel session",
            "asp net session id",
            "remember token",
            "remember me",
            "auth session",
        ),
        exact=("sess", "auth", "sid"),
        excluded=frozenset(
            (
                "type",
                "name",
                "count",
                "timeout",
                "duration",
                "start",
                "started",
                "end",
                "expires",
                "expiry",
                "state",
                "status",
                "length",
                "affinity",
                "title",
                "url",
                "at",
                "time",
            )
        ),
        accept=_accept,
        examples=(
            ("JSESSIONID", "A1B2C3D4E5F6"),
            ("connect.sid", "s%3Aabc123def456"),
            ("sessionId", "6f1f7e5a-1c9d"),
            ("PHPSESSID", "q1w2e3r4t5"),
        ),
        counter_examples=(
            ("session_timeout", "3600000000"),
            ("session", "Morning keynote"),
            ("session_count", "12345678"),
            ("obsession", "a1b2c3d4e5"),
        ),
    ),
)
