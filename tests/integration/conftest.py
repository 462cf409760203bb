"""What integration tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a client's socket be collected late.

    A client that is refused in the middle of a body over TLS closes with bytes unsent; asyncio leaves its socket to the
    garbage collector when the test's loop ends first, and the warning falls on whichever test runs then. Descriptors
    of services are counted by tests of their own.
    """
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"))
