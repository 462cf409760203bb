"""Findings as SARIF 2.1.0, which code hosts show beside the lines.

Called by the verb. Pure and deterministic: no time, no machine, no absolute path unless the user gave one outside of
the folder that is linted from. Source: OASIS SARIF 2.1.0, sections 3.13 to 3.31 and 3.49.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from .model import Problem
from .rules import RULES, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_INDEX = {rule.id: number for number, rule in enumerate(RULES)}


def as_sarif(problems: Sequence[Problem], version: str) -> str:
    """Return a SARIF log with one run; `version` is that of the tool."""
    driver = {
        "name": "speedctl lint",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(rule) for rule in RULES],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder that was linted from."}}},
        "results": [_result(problem) for problem in problems],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(problem: Problem) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(problem.source),
            "region": {"startLine": problem.line, "startColumn": problem.column},
        }
    }
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    text = f"{problem.message}. {problem.remedy}" if problem.remedy else problem.message
    # Without the line: the finding stays the same one when lines are added above it.
    identity = "\0".join((problem.rule, problem.source, problem.path, problem.message))
    return {
        "ruleId": problem.rule,
        "ruleIndex": _INDEX[problem.rule],
        "level": problem.severity,
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"finding/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()},
    }


def _artifact(source: str) -> dict[str, Any]:
    path = PurePosixPath(source)
    if path.is_absolute():
        return {"uri": "file://" + quote(source)}
    return {"uri": quote(str(path)), "uriBaseId": "SRCROOT"}
