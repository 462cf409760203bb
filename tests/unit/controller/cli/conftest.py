"""What the tests of the operator's verbs share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent / "helpers")]

from recorded_facts import Recorded, record  # noqa: E402


@pytest.fixture
def recorded() -> Recorded:
    """Return what makes facts: sources by name, and the other fields of Facts."""
    return record
