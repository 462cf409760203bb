"""The client for who has no event loop: verbs of speedctl."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .client import CloudClient
from .target import Target
from .transport import Retries

T = TypeVar("T")


def run(target: Target, action: Callable[[CloudClient], Awaitable[T]], *, agent: str = "speedctl") -> T:
    """Open a client, await `action` with it, close it; errors are the client's. Few attempts: a person waits."""

    async def whole() -> T:
        async with CloudClient(target, agent, Retries(attempts=3, longest_s=4.0)) as client:
            return await action(client)

    return asyncio.run(whole())
