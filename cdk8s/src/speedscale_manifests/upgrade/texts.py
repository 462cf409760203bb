"""YAML text → the manifests in it, for comparison. Called by `bundles` and `revisions`. Pure."""

from __future__ import annotations

from typing import Any

from speedscale_manifests.kustomize.reading import documents


def load(text: str) -> list[dict[str, Any]]:
    """Return the manifests of a YAML text, documents that are none left out; ValueError when it is no YAML."""
    return [one for one in documents(text) if "kind" in one and isinstance(one.get("metadata"), dict)]


def objects(text: str) -> list[dict[str, Any]]:
    """Return the manifests of a text that may be anything; nothing when it is no YAML."""
    try:
        return load(text)
    except ValueError:
        return []
