"""The vendor's public recordings: all load, nothing is lost in either direction, and edits in them take effect.

They are not part of this project; SPEEDSCALE_RECORDINGS names a folder that holds some.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.rrpair import jsonform, markdown, recording
from speedscale_runtime.rrpair.recording import Entry

FOLDER = os.environ.get("SPEEDSCALE_RECORDINGS", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SPEEDSCALE_RECORDINGS names no folder of recordings")


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return list(recording.read(Path(FOLDER)))


def halves(data: bytes) -> tuple[bytes, Any]:
    """Return the text sections and the document of a Markdown file."""
    at = data.rindex(b"### INTERNAL")
    line = data[data.index(b"json: ", at) + 6 :].split(b"\n")[0]
    return data[:at], json.loads(line)


def lost(old: Any, new: Any, path: str = "") -> list[str]:
    """Return the keys and values of `old` that `new` has not; more is allowed."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key in old for line in lost(old[key], new.get(key), f"{path}.{key}")]
    return [] if old == new and type(old) is type(new) else [path]


def test_all_load(entries: list[Entry]) -> None:
    assert [entry.error for entry in entries if entry.error] == []
    assert entries


def test_markdown_survives_the_way_through_json(entries: list[Entry]) -> None:
    wrong: list[str] = []
    for entry in entries:
        data = entry.path.read_bytes()
        if entry.pair is None or recording.looks_like_json(data) or entry.path.suffix == ".jsonl":
            continue
        text, document = halves(data)
        again_text, again_document = halves(markdown.dumps(jsonform.loads(jsonform.dumps(entry.pair))))
        if text != again_text or lost(document, again_document):
            wrong.append(f"{entry.path} {lost(document, again_document)}")
    assert wrong == []


def test_json_survives_the_way_through_markdown(entries: list[Entry]) -> None:
    wrong: list[str] = []
    for entry in entries:
        if entry.pair is None:
            continue
        again = jsonform.loads(jsonform.dumps(markdown.loads(markdown.dumps(entry.pair))))
        if again != entry.pair:
            wrong.append(str(entry.path))
        data = entry.path.read_bytes()
        if entry.path.suffix == ".json" and json.loads(jsonform.dumps(again)) != json.loads(data):
            wrong.append(str(entry.path))
    assert wrong == []


def test_names_agree_with_the_layout(entries: list[Entry], tmp_path: Path) -> None:
    wrong: list[str] = []
    with recording.Writer(tmp_path) as writer:
        for entry in entries:
            if entry.pair is not None and entry.path.suffix != ".jsonl":
                name = writer.write(entry.pair).name
                wrong += [f"{entry.path} {name}"] if name != entry.path.name else []
    assert wrong == []


def test_an_edited_status_takes_effect(entries: list[Entry]) -> None:
    tried = 0
    for entry in entries:
        data = entry.path.read_bytes()
        if b"\nHTTP/1.1 200 OK\n" in data and not recording.looks_like_json(data):
            tried += 1
            again = markdown.loads(data.replace(b"\nHTTP/1.1 200 OK\n", b"\nHTTP/1.1 418 I'm a Teapot\n", 1))
            assert again.doc["status"] == "418"
            assert entry.pair is not None
            assert again.request_body == entry.pair.request_body
            assert again.response_body == entry.pair.response_body
    assert tried
