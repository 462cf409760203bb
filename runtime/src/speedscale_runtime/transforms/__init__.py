"""Traffic transforms: extractor → chain → put back in the same place, over requests and responses.

Pure functions over pairs, compiled once from a transform set (schema `transform-set`). Used by the generator and
the responder. Files and secrets come through `Sources`, redaction and filters by injection.
"""

from .compiled import Chain, TransformSet, compile_set
from .errors import TransformError
from .links import Links, find_links
from .model import Scope
from .run import Run
from .smart import SmartTable
from .sources import Sources

__all__ = [
    "Chain",
    "Links",
    "Run",
    "Scope",
    "SmartTable",
    "Sources",
    "TransformError",
    "TransformSet",
    "compile_set",
    "find_links",
]
