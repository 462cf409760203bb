"""The record: one model for every request/response pair, its encodings, and recordings on disk."""

from .model import RRPair

__all__ = ["RRPair"]
