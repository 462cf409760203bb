"""Redaction, measured: `speed` beside its peers in time, `scores` beside them in what is found and what is not."""

from __future__ import annotations

from .speed import run

__all__ = ["run"]
