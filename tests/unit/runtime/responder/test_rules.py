"""What a rule does to a whole pair: it marks the pair it hands back, never the one it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from speedscale_runtime.responder.rules import Rules
from speedscale_runtime.rrpair import RRPair


@pytest.mark.parametrize(("text", "modified"), [("nothing here", False), ("ada@example.com", True)])
def test_the_given_pair_stays_as_it_was(tmp_path: Path, text: str, modified: bool) -> None:
    pair = RRPair({"location": "/x", "message": text}, b"", text.encode())
    before = pair.copy()
    marked = Rules(tmp_path).get("standard").whole(pair)
    assert pair == before
    assert marked.doc["dlpRule"] == "standard"
    assert marked.doc.get("dlpModified", False) is modified
