"""`--via cloud`: verbs of other members reach clusters through the backend (`speedscale_schemas.transports`).

SPEEDSCALE_APP_URL, SPEEDSCALE_API_KEY and BACKEND_CA_FILE of the environment say which one.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from speedscale_runtime.cloud import CloudClient, Target, from_environment, run
from speedscale_schemas.errors import ConfigError

_AGENT = "speedctl"
_MARGIN_S = 15.0


class CloudTransport:
    """The backend that an environment names; ConfigError where it names none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        target = from_environment(environ)
        if target is None:
            raise ConfigError(
                ["--via cloud: SPEEDSCALE_APP_URL is not set; export the backend's address and SPEEDSCALE_API_KEY"]
            )
        self._target: Target = target

    def clusters(self) -> list[dict[str, Any]]:
        """Return the clusters ever connected."""
        return run(self._target, lambda client: client.clusters(), agent=_AGENT)

    def command(
        self, cluster: str, command: str, arguments: Mapping[str, Any], *, timeout_s: float
    ) -> Iterator[dict[str, Any]]:
        """Yield the answers to a command as they come."""
        patient = dataclasses.replace(self._target, timeout_s=timeout_s + _MARGIN_S)  # a log may be silent for long
        with asyncio.Runner() as runner:
            answers = _answers(patient, cluster, command, arguments, timeout_s)
            try:
                while (answer := runner.run(_next(answers))) is not None:
                    yield answer
            finally:
                runner.run(_close(answers))


async def _answers(
    target: Target, cluster: str, command: str, arguments: Mapping[str, Any], timeout_s: float
) -> AsyncIterator[dict[str, Any]]:
    async with CloudClient(target, _AGENT) as client:
        async for answer in client.command(cluster, command, arguments, timeout_s=timeout_s):
            yield answer


async def _next(answers: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
    return await anext(answers, None)


async def _close(answers: Any) -> None:
    await answers.aclose()
