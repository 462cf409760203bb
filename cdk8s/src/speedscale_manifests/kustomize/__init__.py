"""The one place that runs kustomize."""

from .program import Built, Kustomize, KustomizeError, KustomizeMissing, find

__all__ = ["Built", "Kustomize", "KustomizeError", "KustomizeMissing", "find"]
