"""What findings look like: text, JSON, GitHub's commands, SARIF; the same findings give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from speedscale_manifests.lint import RULES, Problem, formats, sarif

ROOT = Path(__file__).resolve().parents[4]
FOUND = [
    Problem(
        "a b/x.yaml", 3, 5, "SPD001", "error", "metadata.annotations['a/b']", "is wrong: 100%, really\nso", "Mend it."
    ),
    Problem("x.yaml", 1, 1, "SPD091", "note", "", "a template", ""),
    Problem("/elsewhere/ä.yaml", 2, 1, "SPD007", "warning", "spec", "is set", "Take it out."),
]

TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


# Of the official schema of SARIF 2.1.0 what concerns the objects that we write: their required and allowed properties.
SARIF = closed(
    "version runs",
    **{
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {
            "type": "array",
            "items": closed(
                "tool",
                tool=closed(
                    "driver",
                    driver=closed(
                        "name",
                        name={"type": "string"},
                        version={"type": "string"},
                        semanticVersion={"type": "string"},
                        rules={
                            "type": "array",
                            "uniqueItems": True,
                            "items": closed(
                                "id",
                                id={"type": "string"},
                                name={"type": "string"},
                                shortDescription=TEXT,
                                help=TEXT,
                                defaultConfiguration=closed("", level=LEVEL),
                            ),
                        },
                    ),
                ),
                columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                originalUriBaseIds={"additionalProperties": closed("", description=TEXT)},
                results={
                    "type": "array",
                    "items": closed(
                        "message",
                        ruleId={"type": "string"},
                        ruleIndex={"type": "integer", "minimum": -1},
                        level=LEVEL,
                        message=TEXT,
                        locations={
                            "type": "array",
                            "items": closed(
                                "",
                                physicalLocation=closed(
                                    "",
                                    artifactLocation=closed("", uri={"type": "string"}, uriBaseId={"type": "string"}),
                                    region=closed(
                                        "",
                                        startLine={"type": "integer", "minimum": 1},
                                        startColumn={"type": "integer", "minimum": 1},
                                    ),
                                ),
                                logicalLocations={
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": closed("", fullyQualifiedName={"type": "string"}),
                                },
                            ),
                        },
                        partialFingerprints={"additionalProperties": {"type": "string"}},
                    ),
                },
            ),
        },
    },
)


def test_sarif_has_the_official_shape() -> None:
    log = json.loads(sarif.as_sarif(FOUND, "0.2.0"))
    assert [error.message for error in Draft202012Validator(SARIF).iter_errors(log)] == []
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]]
    assert places == [
        {"uri": "a%20b/x.yaml", "uriBaseId": "SRCROOT"},
        {"uri": "x.yaml", "uriBaseId": "SRCROOT"},
        {"uri": "file:///elsewhere/%C3%A4.yaml"},
    ]


def test_sarif_is_deterministic_and_a_finding_keeps_its_identity_when_it_moves() -> None:
    assert sarif.as_sarif(FOUND, "1") == sarif.as_sarif(list(FOUND), "1")
    moved = Problem(**{**{name: getattr(FOUND[0], name) for name in Problem.__slots__}, "line": 9})
    first, second = (json.loads(sarif.as_sarif([p], "1"))["runs"][0]["results"][0] for p in (FOUND[0], moved))
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert first["locations"] != second["locations"]


def test_an_empty_run_is_still_a_run() -> None:
    log = json.loads(sarif.as_sarif([], "1"))
    assert log["runs"][0]["results"] == []


def test_text() -> None:
    text = formats.as_text(FOUND)
    assert text.startswith("a b/x.yaml:3:5: error SPD001: is wrong: 100%, really\nso\n    Mend it.\n")
    assert formats.summary(FOUND, 2) == "1 error, 1 warning, 1 note in 2 files"
    assert formats.summary([], 1) == "0 errors in 1 file"


def test_no_control_character_reaches_the_terminal() -> None:
    text = formats.as_text([Problem("x", 1, 1, "SPD001", "error", "", "a\x1b[31mb\x07", "")])
    assert "\x1b" not in text
    assert r"\x1b[31mb" in text


def test_json() -> None:
    told = json.loads(formats.as_json(FOUND, 2))
    assert (told["files"], told["errors"], told["warnings"]) == (2, 1, 1)
    assert told["problems"][0] == {
        "rule": "SPD001",
        "name": "unknown-annotation",
        "severity": "error",
        "file": "a b/x.yaml",
        "line": 3,
        "column": 5,
        "path": "metadata.annotations['a/b']",
        "message": "is wrong: 100%, really\nso",
        "remedy": "Mend it.",
    }


def test_github_commands_are_escaped() -> None:
    first, second, third = formats.as_github(FOUND).splitlines()
    assert first == (
        "::error file=a b/x.yaml,line=3,col=5,title=SPD001 unknown-annotation::is wrong: 100%25, really%0Aso Mend it."
    )
    assert second.startswith("::notice file=x.yaml,line=1,col=1,")
    assert third.startswith("::warning ")


def test_the_page_has_every_rule_as_the_table_says_it() -> None:
    page = (ROOT / "docs" / "lint.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| SPD")]
    assert rows == [f"| {r.id} | {r.name} | {r.severity} | {r.summary} | {r.remedy} |" for r in RULES]


def test_ids_and_names_are_unique_and_sorted() -> None:
    assert [rule.id for rule in RULES] == sorted({rule.id for rule in RULES})
    assert len({rule.name for rule in RULES}) == len(RULES)
