"""From objects to bytes on disk: names of files, YAML, kustomizations, the index of what we wrote, the Helm form.

`render` is pure; `Writer` is the only one that touches a disk.
"""

from .index import Index
from .paths import kustomization
from .rendering import render
from .writer import Changes, Writer

__all__ = ["Changes", "Index", "Writer", "kustomization", "render"]
