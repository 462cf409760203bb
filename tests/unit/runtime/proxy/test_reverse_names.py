"""Names from the reverse DNS: never waited for, remembered, bounded."""

from __future__ import annotations

import asyncio

import pytest

from speedscale_runtime.proxy.reverse_names import ASKING_MAX, KEEP_NONE_S, KEEP_S, KEPT_MAX, ReverseNames


class Dns:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.names: dict[str, str] = {}
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, host: str) -> str:
        self.asked.append(host)
        await self.go.wait()
        if host not in self.names:
            raise OSError("no name")
        return self.names[host]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def dns() -> Dns:
    return Dns()


async def test_the_first_gets_the_address_the_next_the_name(dns: Dns) -> None:
    now = [0.0]
    dns.names["10.0.0.1"] = "Accounts.default.svc.cluster.local."
    names = ReverseNames(asyncio.get_running_loop(), ask=dns, clock=lambda: now[0])
    assert names.known("10.0.0.1") == ""
    await settle()
    assert names.known("10.0.0.1") == "accounts.default.svc.cluster.local"
    assert dns.asked == ["10.0.0.1"]
    now[0] += KEEP_S
    assert names.known("10.0.0.1") == "accounts.default.svc.cluster.local", "the old one while the new one is asked for"
    await settle()
    assert len(dns.asked) == 2


async def test_no_name_is_remembered_for_less_time(dns: Dns) -> None:
    now = [0.0]
    names = ReverseNames(asyncio.get_running_loop(), ask=dns, clock=lambda: now[0])
    for _ in range(3):
        assert names.known("10.0.0.1") == ""
        await settle()
    assert len(dns.asked) == 1
    now[0] += KEEP_NONE_S
    names.known("10.0.0.1")
    await settle()
    assert len(dns.asked) == 2


async def test_what_is_no_name_is_none(dns: Dns) -> None:
    dns.names["10.0.0.1"] = "a b/../../etc"
    names = ReverseNames(asyncio.get_running_loop(), ask=dns)
    names.known("10.0.0.1")
    await settle()
    assert names.known("10.0.0.1") == ""


async def test_questions_and_answers_are_bounded(dns: Dns) -> None:
    names = ReverseNames(asyncio.get_running_loop(), ask=dns)
    dns.go.clear()
    for number in range(100):
        names.known(f"10.0.0.{number}")
    await settle()
    assert len(dns.asked) == ASKING_MAX
    dns.go.set()
    await settle()
    for number in range(KEPT_MAX + 50):
        names.known(f"10.1.{number >> 8}.{number & 255}")
        await settle()
    assert len(names._kept) == KEPT_MAX


async def test_the_end_asks_no_more(dns: Dns) -> None:
    dns.go.clear()
    names = ReverseNames(asyncio.get_running_loop(), ask=dns)
    names.known("10.0.0.1")
    await settle()
    names.close()
    await settle()
    assert not names._asking
