"""The client's own decisions: addresses, proxies, and which errors become which."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from speedscale_runtime.cloud import CloudClient, Target, target_of
from speedscale_runtime.cloud.transport import Retries
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError


def test_addresses() -> None:
    assert target_of("", "") is None
    found = target_of("app.example.com/", " key \n")
    assert found == Target("https://app.example.com", "key")
    assert "sk-secret" not in repr(Target("https://x", "sk-secret"))
    for url in ("http://app.example.com", "ftp://x", "https://user:pw@x", "https://x?q", "https://[x"):
        with pytest.raises(ConfigError, match="SPEEDSCALE_APP_URL"):
            target_of(url, "key")
    for key in ("", "two words", "ключ"):
        with pytest.raises(ConfigError, match="SPEEDSCALE_API_KEY"):
            target_of("https://x", key)
    assert target_of("http://127.0.0.1:1", "key") is not None


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    servers: list[TestServer] = []

    async def start(*answers: web.Response | type[Exception]) -> tuple[CloudClient, list[float]]:
        waits: list[float] = []
        left = list(answers)

        async def handler(request: web.Request) -> web.Response:
            assert request.headers["Authorization"] == "Bearer key"
            answer = left.pop(0)
            if isinstance(answer, web.Response):
                return answer
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        client = CloudClient(Target(f"http://127.0.0.1:{server.port}", "key"), "test", Retries(3, 0.0, 0.0))

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        client._transport._sleep = sleep
        return client, waits

    yield start
    for server in servers:
        await server.close()


def busy(status: int = 503, **headers: str) -> web.Response:
    return web.json_response({"reason": "busy", "message": "later"}, status=status, headers=headers)


async def test_what_is_away_or_busy_is_asked_again_after_as_long_as_it_says(serve: Any) -> None:
    client, waits = await serve(busy(429, **{"Retry-After": "7"}), ConnectionError, web.json_response({"name": "me"}))
    async with client:
        assert await client.whoami() == {"name": "me"}
    assert waits[0] == 7.0


async def test_in_the_end_it_gives_up_with_what_was_said_last(serve: Any) -> None:
    client, waits = await serve(busy(), busy(), busy(503, **{"Retry-After": "3"}))
    async with client:
        with pytest.raises(TransientError, match="busy: later") as caught:
            await client.whoami()
    assert (caught.value.retry_after_s, len(waits)) == (3.0, 2)


async def test_what_is_refused_is_not_asked_again_nor_what_may_not_happen_twice(serve: Any) -> None:
    client, waits = await serve(web.json_response({"reason": "not_found", "message": "no"}, status=404), busy())
    async with client:
        with pytest.raises(PermanentError) as caught:
            await client.replay("x")
        assert caught.value.reason == "not_found"
        with pytest.raises(TransientError):
            await client.create_key("x", ["read"])
    assert waits == []


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(text="<html>", status=404, content_type="text/html"),
        web.Response(status=302, headers={"Location": "http://elsewhere.example.com"}),
        web.Response(text="[]"),
        web.Response(text="<html>"),
    ],
)
async def test_what_is_no_backend_is_told_apart(serve: Any, answer: web.Response) -> None:
    client, waits = await serve(answer)
    async with client:
        with pytest.raises(PeerError):
            await client.whoami()
    assert waits == []


async def test_a_file_that_breaks_off_leaves_nothing(serve: Any, tmp_path: Path) -> None:
    client, _ = await serve(*[ConnectionError] * 6)  # the library tries a lost connection once more
    async with client:
        with pytest.raises(TransientError):
            await client.fetch_snapshot("x", tmp_path / "snapshot.tar")
    assert list(tmp_path.iterdir()) == []


async def test_a_ca_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    client = CloudClient(Target("https://127.0.0.1:1", "key", tmp_path / "ca.crt"), "test", Retries(1))
    async with client:
        with pytest.raises(TransientError, match="BACKEND_CA_FILE"):
            await client.whoami()
