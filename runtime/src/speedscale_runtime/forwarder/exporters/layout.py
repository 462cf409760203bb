"""The manifest of a bucket: how its keys are made, and which workloads it holds. Pure; the form is the vendor's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import orjson

KEY = "_speedscale/byoc-layout.json"
VERSION = "speedscale-byoc-v2"
TIME = "year=%Y/month=%m/day=%d/hour=%H/minute=%M"
WORKLOAD = "namespace={namespace}/app={app}"


class Workload(NamedTuple):
    """Who a pair belongs to."""

    namespace: str
    app: str


def write(workloads: Collection[Workload], prefix: str) -> bytes:
    """Return the manifest; the same workloads give the same bytes."""
    document = {
        "version": VERSION,
        "format": "otel_s3",
        "basePrefix": prefix.rstrip("/"),
        "partition": "minute",
        "timePrefixTemplate": "year={yyyy}/month={MM}/day={dd}/hour={HH}/minute={mm}",
        "workloadPrefixTemplate": WORKLOAD,
        "attrs": {"encoding": "otlp_json", "compression": "gzip", "filePrefix": "rrpairs_"},
        "workloads": [{"namespace": w.namespace, "app": w.app} for w in sorted(workloads)],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read(data: bytes, prefix: str) -> set[Workload] | None:
    """Return the workloads of a manifest, none where it cannot be read; None where it is of another prefix."""
    try:
        document: Any = orjson.loads(data)
        if document["basePrefix"] != prefix.rstrip("/"):
            return None
        return {Workload(str(w["namespace"]), str(w["app"])) for w in document["workloads"]}
    except (ValueError, KeyError, TypeError):
        return set()
