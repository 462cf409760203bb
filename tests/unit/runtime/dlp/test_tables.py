"""Values whose name stands elsewhere: rows of JSON under columns, lists and rows of SQL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_runtime.dlp import Redactor

SSN, OTHER, NAME = "536904399", "536904388", "Miller"
ROWS = [[1, SSN, NAME], [2, OTHER, "Smith"]]
COLUMNS = ["id", "ssn", "last_name"]


def redacted(redactor: Redactor, text: str, kind: str) -> str:
    """Return what becomes of a text; a second redaction has to change nothing."""
    out, _ = redactor.redact_text(text.encode(), kind)
    assert redactor.redact_text(out, kind)[0] == out
    return out.decode()


@pytest.mark.parametrize("spaces", [None, 1])
@pytest.mark.parametrize(
    "doc",
    [
        {"columns": COLUMNS, "rows": ROWS},
        {"rows": ROWS, "columnNames": COLUMNS},
        {"columns": [{"name": name, "type": "text"} for name in COLUMNS], "rows": ROWS},
        {"schema": {"fields": [{"name": n} for n in COLUMNS]}, "rows": [{"f": [{"v": c} for c in r]} for r in ROWS]},
        {"ResultSet": {"Rows": [{"Data": [{"VarCharValue": str(c)} for c in r]} for r in (COLUMNS, *ROWS)]}},
        [COLUMNS, *ROWS],
        {"data": json.dumps({"columns": COLUMNS, "rows": ROWS})},
        {"columns": COLUMNS, "rows": [[1, int(SSN), 'Mil"ler'], [2, int(OTHER), None]]},
    ],
)
def test_cells_are_judged_by_the_name_of_their_column(standard: Redactor, doc: Any, spaces: int | None) -> None:
    out = redacted(standard, json.dumps(doc, indent=spaces), "application/json")
    json.loads(out)
    assert not [value for value in (SSN, OTHER, NAME, "Smith", "Mil") if value in out]
    assert out.count("last_name") == 1


@pytest.mark.parametrize(
    "doc",
    [
        {"required": ["email", "password"], "examples": [["red", "blue42"]]},
        {"required": ["email", "password"], "tags": ["red", "blue42"]},
        {"columns": ["id", "colour"], "rows": [[1, "blue42"]]},
        {"columns": ["id", "password"], "rows": [[1, "a", "blue42"]]},
        {"fields": ["email", "password"], "enum": ["red", "blue42"]},
        {"allOf": [{"required": ["username", "password"]}, {"required": ["email", "token"]}]},
    ],
)
def test_what_is_no_table_stays(standard: Redactor, doc: Any) -> None:
    text = json.dumps(doc)
    assert redacted(standard, text, "application/json") == text


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (f"INSERT INTO t (id, ssn, last_name) VALUES (7, {SSN}, '{NAME}'), (8, {OTHER}, 'Smith')", ("(7, ", "(8, ")),
        (rf"INSERT INTO t (id, note, last_name) VALUES (7, 'it\'s', '{NAME}')", (r"'it\'s'",)),
        (rf"insert into t (path, last_name) values ('C:\', '{NAME}')", (r"'C:\'",)),
        (rf"INSERT INTO t (last_name, id) VALUES ('{NAME}\'s', 7)", (", 7)",)),
        (f"SELECT * FROM t WHERE t.ssn IN ('{SSN}', '{OTHER}') AND id IN (1, 2)", ("id IN (1, 2)",)),
        (f"SELECT * FROM t WHERE `last_name` NOT IN ('{NAME}')", ("NOT IN ('",)),
        (f"$filter=lastName eq '{NAME}' and id eq 7", ("id eq 7",)),
    ],
)
def test_sql_lists_and_rows(standard: Redactor, text: str, stays: tuple[str, ...]) -> None:
    out = redacted(standard, text, "text/plain")
    assert not [value for value in (SSN, OTHER, NAME, "Smith") if value in out]
    assert all(part in out for part in stays)
