"""The annotations that users and operator put on workloads: the table, its types, and parsing.

`parse(annotations, kind)` gives typed settings and every problem; `TABLE` is what the reference page, the linter and
the construct library are made from. Pure: no I/O anywhere in this package.
"""

from .model import (
    CAPTURE,
    OPERATOR,
    PREFIXES,
    REPLAY,
    SIDECAR,
    WORKLOAD_KINDS,
    Annotation,
    Capture,
    Code,
    KeyPair,
    Method,
    Operator,
    Parsed,
    Problem,
    ProxyType,
    Replay,
    Severity,
    Sidecar,
)
from .parsing import is_ours, judge, parse
from .table import BY_NAME, LABELS, OTHER_PREFIXES, TABLE, rows

__all__ = [
    "BY_NAME",
    "CAPTURE",
    "LABELS",
    "OPERATOR",
    "OTHER_PREFIXES",
    "PREFIXES",
    "REPLAY",
    "SIDECAR",
    "TABLE",
    "WORKLOAD_KINDS",
    "Annotation",
    "Capture",
    "Code",
    "KeyPair",
    "Method",
    "Operator",
    "Parsed",
    "Problem",
    "ProxyType",
    "Replay",
    "Severity",
    "Sidecar",
    "is_ours",
    "judge",
    "parse",
    "rows",
]
