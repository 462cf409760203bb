"""Ports that addresses in the values point at, for the policies that have to open them."""

from __future__ import annotations

from urllib.parse import urlsplit


def ports(*urls: str) -> list[int]:
    """Return the ports of URLs, or of host:port without a scheme, sorted, each once; empty ones have none."""
    return sorted({_port(url) for url in urls if url})


def _port(url: str) -> int:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return parts.port or (443 if parts.scheme == "https" else 80)
