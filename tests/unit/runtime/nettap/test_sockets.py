"""From chunks to records: order, ends, gaps, joins, layers, whose they are, and bounds."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from speedscale_runtime.nettap import wire
from speedscale_runtime.nettap.causes import Ended, Missing, Passed, Unread
from speedscale_runtime.nettap.owners import Owner
from speedscale_runtime.recording.causes import Drop

GET = b"GET /cart?x=1 HTTP/1.1\r\nHost: Shop.example:8080\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
POST = b"POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\n0123456789"


def test_a_client_and_a_server_on_one_node_give_a_record_each(tap: Any, node: Any) -> None:
    client = tap(role=wire.Role.CLIENT, local=("10.0.0.5", 40000), remote=("10.0.0.9", 8080), sock=1)
    server = tap(role=wire.Role.SERVER, local=("10.0.0.9", 8080), remote=("10.0.0.5", 40000), sock=2)
    node.tell([*client.sent(GET), *server.received(GET), *server.sent(OK), *client.received(OK)])
    node.tell([*client.closed(), *server.closed()])
    out, into = sorted(node.pairs(), key=lambda p: p["direction"], reverse=True)
    assert (out["direction"], into["direction"]) == ("OUT", "IN")
    for pair in (out, into):
        assert pair["command"] == "GET"
        assert pair["location"] == "/cart"
        assert pair["network_address"] == "shop.example:8080"
        assert pair["netinfo"]["upstream"]["ipAddress"] == "10.0.0.9"
        assert pair["netinfo"]["upstream"]["port"] == 8080
        assert pair["netinfo"]["downstream"]["ipAddress"] == "10.0.0.5"
        assert pair["service"] == "cart"
        assert pair["namespace"] == "shop"
        assert pair["tags"]["captureMode"] == "eBPF"
        assert pair["tags"]["k8sAppPodName"] == "cart-7d4-x"
        assert pair["answered"] == b"hello"
    assert node.ledger.get("seen") == node.ledger.get("captured") == 2
    assert len(node.sockets) == 0
    assert node.counters.ended[Ended.CLOSED] == 2


def test_an_answer_that_is_told_before_its_request_waits_for_it(tap: Any, node: Any) -> None:
    end = tap()
    asked, answered = end.sent(GET), end.received(OK)
    node.tell(answered)
    assert node.pairs() == []
    node.tell(asked)
    assert [p["status"] for p in node.pairs()] == ["200"]


def test_ends_that_are_told_before_the_bytes_wait_for_them(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.CLIENT)
    asked, answered = end.sent(GET), end.received(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    node.tell([*end.closed(), *answered, *asked])
    (pair,) = node.pairs()
    assert pair["answered"] == b"until the end"
    assert "incomplete" not in pair["tags"]
    assert len(node.sockets) == 0


@pytest.mark.parametrize("reason", [g for g in wire.Gap if g])
def test_a_gap_within_a_body_of_known_length_is_told_and_the_next_pair_is_whole(
    tap: Any, node: Any, reason: wire.Gap
) -> None:
    end = tap(role=wire.Role.SERVER)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    node.tell([*end.received(GET), *end.sent(head + b"x" * 100), *end.gap(wire.Direction.SENT, 800, reason)])
    node.tell([*end.sent(b"y" * 100), *end.received(POST), *end.sent(OK), *end.closed()])
    first, second = node.pairs()
    missing = Missing[reason.name]
    assert first["answered"] == b"x" * 100  # the beginning, never joined across what is missing
    assert first["tags"]["responsePayloadTruncated"] == "1000"
    assert first["tags"]["captureGap"] == missing.value
    assert second["command"] == "POST"
    assert second["answered"] == b"hello"
    assert "captureGap" not in second["tags"]
    assert node.counters.gap_bytes[missing] == 800
    assert sum(node.counters.unread.values()) == 0


def test_a_gap_between_messages_ends_the_pairs_and_is_recorded(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER)
    node.tell([*end.received(GET), *end.sent(OK), *end.gap(wire.Direction.SENT, 70)])
    node.tell([*end.received(POST), *end.sent(OK), *end.closed()])
    node.settle()
    first, second = node.pairs()
    assert first["status"] == "200"
    assert second["l7protocol"] == "tcp"
    assert second["tags"]["captureUnread"] == "gap"
    assert second["tags"]["captureGap"] == "ring_full"
    assert second["tags"]["captureGapBytes"] == "70"
    assert int(second["netinfo"]["downstream"]["bytesSent"]) == len(GET) + len(POST)
    assert int(second["netinfo"]["upstream"]["bytesSent"]) == 2 * len(OK) + 70
    assert node.counters.unread[Unread.GAP] == 1


def test_requests_that_were_whole_before_a_gap_still_get_their_answers(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER)
    node.tell([*end.received(GET), *end.received(POST), *end.gap(wire.Direction.RECEIVED, 60)])
    node.tell([*end.sent(OK), *end.sent(OK.replace(b"hello", b"HELLO")), *end.sent(OK), *end.closed()])
    node.settle()
    first, second, rest = node.pairs()
    assert (first["command"], first["answered"]) == ("GET", b"hello")
    assert (second["command"], second["answered"]) == ("POST", b"HELLO")
    assert rest["tags"]["captureUnread"] == "gap"


def test_a_gap_that_is_told_late_is_counted_when_nothing_is_read_any_more(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER)
    first, late = end.gap(wire.Direction.RECEIVED, 60), end.gap(wire.Direction.RECEIVED, 40)
    node.tell([*first, *end.received(GET), *late, *end.closed()])
    assert sum(node.counters.gap_bytes.values()) == 100


def test_bytes_that_nobody_tells_of_become_a_gap_once_patience_ends(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    node.tell([*end.received(GET), *end.sent(head + b"x" * 100), *end.skip(wire.Direction.SENT, 800)])
    node.tell(end.sent(b"y" * 100))
    assert node.pairs() == []
    node.settle()
    (pair,) = node.pairs()
    assert pair["answered"] == b"x" * 100
    assert pair["tags"]["captureGap"] == "not_told"
    assert node.counters.gap_bytes[Missing.NOT_TOLD] == 800


def test_patience_is_measured_by_what_capture_tells(tap: Any, node: Any) -> None:
    end, other = tap(), tap(sock=5, local=("10.0.0.5", 41000))
    node.tell(end.received(OK, at=5_000))
    for step in range(30):  # time passes, but capture's time does not
        node.tell(other.sent(GET, at=5_000 + step))
        node.sockets.tick()
    assert node.sockets.kept_bytes > 0
    node.tell(other.sent(GET, at=2_000_000_000))
    node.sockets.tick()
    node.tell(end.sent(GET, at=4_000))
    node.settle()
    assert node.counters.unread[Unread.NOT_HTTP] == 1


def test_a_tick_that_comes_late_ends_no_patience(tap: Any, node: Any) -> None:
    end = tap()
    asked, answered = end.sent(GET), end.received(OK)
    node.tell(answered)
    for _ in range(30):
        node.sockets.tick(late=True)
    node.tell(asked)
    assert len(node.pairs()) == 1


def test_a_stream_joined_in_the_middle_is_taken_up_at_a_request(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER, flags=wire.Flag.MIDSTREAM)
    node.tell([*end.received(b"rest of a body"), *end.sent(OK), *end.received(GET)])
    node.tell([*end.sent(OK.replace(b"hello", b"right")), *end.received(POST), *end.sent(OK), *end.closed()])
    first, second = node.pairs()
    assert (first["command"], first["answered"]) == ("GET", b"right")
    assert (second["command"], second["answered"]) == ("POST", b"hello")
    assert first["tags"]["captureJoined"] == "midstream"


def test_an_answer_of_before_the_join_is_never_taken_for_the_first_one(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER, flags=wire.Flag.MIDSTREAM)
    old, asked = end.sent(OK.replace(b"hello", b"older")), end.received(GET)
    node.tell([*asked, *old, *end.sent(OK)])  # another ring was emptied first
    (pair,) = node.pairs()
    assert pair["answered"] == b"hello"


def test_a_stream_in_which_no_request_begins_is_recorded_as_such(tap: Any, node: Any) -> None:
    end = tap(role=wire.Role.SERVER, flags=wire.Flag.MIDSTREAM)
    node.tell([*end.received(b"\x00\x01binary"), *end.sent(b"\x02\x03answer"), *end.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["tags"]["captureUnread"] == "midstream"
    assert node.counters.unread[Unread.MIDSTREAM] == 1


@pytest.mark.parametrize("first", ["request", "answer"])
def test_who_is_the_client_is_told_by_the_bytes_where_capture_does_not_know(tap: Any, node: Any, first: str) -> None:
    end = tap(role=wire.Role.UNKNOWN, local=("10.0.0.9", 8080), remote=("10.0.0.5", 40000))
    asked, answered = end.received(GET), end.sent(OK)
    node.tell([*asked, *answered] if first == "request" else [*answered, *asked])
    (pair,) = node.pairs()
    assert pair["direction"] == "IN"


def test_what_is_no_http_is_recorded_by_its_size(tap: Any, node: Any) -> None:
    end = tap(remote=("10.0.0.9", 6379))
    node.tell([*end.sent(b"*1\r\n$4\r\nPING\r\n"), *end.received(b"+PONG\r\n"), *end.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["l7protocol"] == "tcp"
    assert pair["tags"]["detectedProtocol"] == "redis"
    assert pair["network_address"] == "10.0.0.9:6379"


def test_a_server_that_speaks_first_is_recognised(tap: Any, node: Any) -> None:
    greeting = b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(63)
    end = tap(remote=("10.0.0.9", 3306))
    node.tell([*end.received(greeting), *end.sent(b"\x20\x00\x00\x01" + bytes(32)), *end.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["tags"]["detectedProtocol"] == "mysql"


def hello(name: bytes = b"pay.example") -> bytes:
    names = b"\x00" + len(name).to_bytes(2, "big") + name
    sni = b"\x00\x00" + (len(names) + 2).to_bytes(2, "big") + len(names).to_bytes(2, "big") + names
    inner = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + len(sni).to_bytes(2, "big") + sni
    message = b"\x01" + len(inner).to_bytes(3, "big") + inner
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize("piece", [1, 5, 16384])
def test_tls_without_its_plaintext_is_recorded_by_name_and_size(tap: Any, node: Any, piece: int) -> None:
    end = tap(remote=("10.0.0.9", 443), piece=piece)
    node.tell([*end.sent(hello()), *end.received(b"\x16\x03\x03\x00\x05\x02xxxx"), *end.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["tags"]["detectedProtocol"] == "tls"
    assert pair["tags"]["tlsSni"] == "pay.example"
    assert pair["network_address"] == "pay.example:443"
    assert node.counters.unread[Unread.TLS] == 1


def test_a_body_that_begins_like_tls_is_a_body(tap: Any, node: Any) -> None:
    end = tap()
    node.tell(end.sent(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"))
    node.tell([*end.sent(b"\x16\x03\x01"), *end.received(OK)])
    assert node.pairs()[0]["asked"] == b"\x16\x03\x01"


@pytest.mark.parametrize("early", [True, False], ids=["plaintext late", "plaintext first"])
def test_the_plaintext_takes_the_place_of_the_ciphertext(tap: Any, node: Any, early: bool) -> None:
    cipher = tap(remote=("10.0.0.9", 443))
    plain = tap(
        remote=("10.0.0.9", 443),
        flags=wire.Flag.PLAINTEXT,
        source=wire.Source.OPENSSL,
        certainty=wire.Certainty.BY_NESTED,
    )
    shaking = [*cipher.sent(hello()), *cipher.received(b"\x16\x03\x03\x00\x05\x02xxxx")]
    spoken = [*plain.sent(GET.replace(b"Host: Shop.example:8080\r\n", b"")), *plain.received(OK)]
    cipher.skip(wire.Direction.SENT, 500)  # suppressed: it moves the offsets and is not told
    cipher.skip(wire.Direction.RECEIVED, 900)
    node.tell([*shaking, *spoken] if early else [*spoken, *shaking])
    node.tell(cipher.closed())
    node.settle()
    (pair,) = node.pairs()
    assert pair["l7protocol"] == "https"
    assert pair["isTls"] is True
    assert pair["network_address"] == ("pay.example:443" if early else "10.0.0.9:443")
    assert pair["tags"]["captureSource"] == "openssl"
    assert pair["tags"]["tlsMatch"] == "nested"
    assert sum(node.counters.gap_bytes.values()) == 0
    assert sum(node.counters.unread.values()) == 0
    assert len(node.sockets) == 0


def test_an_answer_that_ends_with_the_connection_is_whole_in_plaintext_too(tap: Any, node: Any) -> None:
    cipher, plain = tap(remote=("10.0.0.9", 443)), tap(remote=("10.0.0.9", 443), flags=wire.Flag.PLAINTEXT)
    node.tell([*plain.sent(GET), *plain.received(b"HTTP/1.1 200 OK\r\n\r\nall"), *cipher.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["answered"] == b"all"
    assert "incomplete" not in pair["tags"]


def test_how_sure_the_match_is_says_the_weakest_part(tap: Any, node: Any) -> None:
    plain = tap(flags=wire.Flag.PLAINTEXT, certainty=wire.Certainty.BY_SESSION)
    asked = plain.sent(GET)
    plain.fixed["certainty"] = wire.Certainty.BY_NEXT_IO
    node.tell([*asked, *plain.received(OK)])
    assert node.pairs()[0]["tags"]["tlsMatch"] == "next_io"


def test_plaintext_without_a_socket_is_counted(tap: Any, node: Any) -> None:
    lost = tap(sock=0, flags=wire.Flag.PLAINTEXT)
    node.tell(lost.gap(wire.Direction.SENT, 99, wire.Gap.UNMATCHED_TLS))
    assert node.counters.gap_bytes[Missing.UNMATCHED_TLS] == 99


def test_an_upgrade_is_recorded_and_what_follows_is_not(tap: Any, node: Any) -> None:
    end = tap()
    asked = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    node.tell([*end.sent(asked), *end.received(answer), *end.sent(b"\x81\x02hi"), *end.closed()])
    node.settle()
    (pair,) = node.pairs()
    assert pair["status"] == "101"
    assert node.counters.unread[Unread.UPGRADED] == 1


def test_nothing_of_a_cgroup_that_nobody_asked_for_is_recorded(tap: Any, node: Any) -> None:
    stranger = tap(cgroup=78)
    node.tell([*stranger.sent(GET), *stranger.received(OK), *stranger.closed()])
    assert node.pairs() == []
    assert node.counters.passed_over[Passed.UNKNOWN_CGROUP] == len(GET) + len(OK) + 2
    assert len(node.sockets) == 0


@pytest.mark.parametrize(
    ("owner", "local", "remote", "role", "why"),
    [
        ({}, ("127.0.0.1", 80), ("127.0.0.1", 40000), wire.Role.SERVER, Passed.LOOPBACK),
        ({}, ("10.0.0.5", 80), ("10.0.0.5", 40000), wire.Role.SERVER, Passed.LOOPBACK),
        ({"loopback": True}, ("127.0.0.1", 80), ("127.0.0.1", 40000), wire.Role.SERVER, None),
        ({}, ("127.0.0.1", 40000), ("127.0.0.1", 80), wire.Role.CLIENT, None),
        ({"node": frozenset({"10.0.0.1"})}, ("10.0.0.5", 80), ("10.0.0.1", 4), wire.Role.SERVER, Passed.NODE),
        ({"node": frozenset({"10.0.0.1"})}, ("10.0.0.5", 4), ("10.0.0.1", 80), wire.Role.CLIENT, None),
        ({"ports": frozenset({8080})}, ("10.0.0.5", 80), ("10.0.0.7", 8080), wire.Role.SERVER, Passed.PORT),
        ({"ports": frozenset({8080})}, ("10.0.0.5", 80), ("10.0.0.7", 8080), wire.Role.CLIENT, None),
        ({}, ("::1", 80), ("::1", 40000), wire.Role.SERVER, Passed.LOOPBACK),
        ({}, ("fd00::5", 80), ("fd00::9", 40000), wire.Role.SERVER, None),
    ],
)
def test_what_the_sidecar_would_not_see_is_passed_over(
    chunks: ModuleType, tap: Any, owner: dict[str, Any], local: Any, remote: Any, role: int, why: Passed | None
) -> None:
    node = chunks.Node(owner=Owner(chunks.WHO, **owner))
    end = tap(role=role, local=local, remote=remote)
    asked, answered = (end.sent, end.received) if role == wire.Role.CLIENT else (end.received, end.sent)
    node.tell([*asked(GET), *answered(OK), *asked(GET), *answered(OK), *end.closed()])
    node.settle()
    assert len(node.pairs()) == (0 if why else 2)
    assert [p for p, count in node.counters.passed_over.items() if count] == ([why] if why else [])
    assert len(node.sockets) == 0
    node.close()


def test_ipv4_on_a_socket_of_both_families_is_ipv4(tap: Any, node: Any) -> None:
    end = tap(local=("::ffff:10.0.0.5", 40000), remote=("::ffff:10.0.0.9", 80))
    node.tell([*end.sent(b"GET / HTTP/1.1\r\n\r\n"), *end.received(OK)])
    assert node.pairs()[0]["network_address"] == "10.0.0.9:80"


def test_an_address_without_a_name_gets_the_one_that_dns_gave(tap: Any, node: Any) -> None:
    answer = (
        b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03pay\x04shop\x00\x00\x01\x00\x01"
        b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x09"
    )
    end = tap()
    assert node.names.learn(end.fixed["netns"], answer, node.sockets.boot_offset_ns) == 1
    node.tell([*end.sent(b"GET / HTTP/1.0\r\n\r\n"), *end.received(OK)])
    other = tap(netns=1, sock=9)
    node.tell([*other.sent(b"GET / HTTP/1.0\r\n\r\n"), *other.received(OK)])
    assert [p["network_address"] for p in node.pairs()] == ["pay.shop:80", "10.0.0.9:80"]


def test_one_end_is_never_there_twice(tap: Any, node: Any) -> None:
    first, second = tap(sock=1), tap(sock=2)  # the same addresses and ports, in one network namespace
    node.tell([*first.sent(GET), *second.sent(GET), *second.received(OK), *second.closed()])
    assert len(node.pairs()) == 1
    assert node.counters.ended[Ended.REPLACED] == 1
    assert node.ledger.get("dropped.gap") == 1
    assert len(node.sockets) == 0


def test_a_descriptor_that_is_used_again_is_another_socket(tap: Any, node: Any) -> None:
    for generation in range(1, 6):
        end = tap(generation=generation, local=("10.0.0.5", 40000 + generation))
        node.tell([*end.sent(GET), *end.received(OK), *end.closed()])
    assert len(node.pairs()) == 5
    assert node.counters.opened == 5


def test_an_idle_socket_sleeps_and_goes_on_where_it_was(chunks: ModuleType, tap: Any) -> None:
    node = chunks.Node(idle_ns=10)
    end, other = tap(), tap(sock=3, local=("10.0.0.5", 41000))
    node.tell([*end.sent(GET), *end.received(OK), *other.sent(GET)])
    node.tell(other.received(OK, at=1_000_000))
    node.sockets.doze()
    assert (len(node.sockets), node.sockets.asleep) == (1, 1)
    node.tell([*end.sent(POST), *end.received(OK), *end.closed()])
    assert [p["command"] for p in node.pairs()] == ["GET", "GET", "POST"]
    assert sum(node.counters.gap_bytes.values()) == 0
    assert (len(node.sockets), node.sockets.asleep) == (1, 0)
    node.close()


def test_a_socket_within_a_message_does_not_sleep(chunks: ModuleType, tap: Any) -> None:
    node = chunks.Node(idle_ns=10)
    end = tap()
    node.tell([*end.sent(GET), *tap(sock=3, local=("10.0.0.5", 41000)).sent(GET, at=1_000_000)])
    node.sockets.doze()
    assert node.sockets.asleep == 0
    node.tell(end.received(OK))
    assert len(node.pairs()) == 1
    node.close()


def test_more_sockets_than_there_is_room_for_end_counted(chunks: ModuleType, tap: Any) -> None:
    node = chunks.Node(sockets=16)
    for number in range(100):
        node.tell(tap(sock=number + 1, local=("10.0.0.5", 30000 + number)).sent(GET))
    assert len(node.sockets) <= 16
    assert node.counters.ended[Ended.CROWDED] == 84
    assert node.ledger.get("dropped.gap") == 84
    node.close()


def test_what_waits_for_others_is_bounded(chunks: ModuleType, tap: Any) -> None:
    node = chunks.Node(window_bytes=10_000)
    end = tap()
    node.tell(end.sent(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"))
    end.skip(wire.Direction.SENT, 50_000)
    node.tell(end.sent(b"x" * 50_000) + end.received(OK))
    (pair,) = node.pairs()
    assert pair["tags"]["captureGap"] == "window_full"
    assert pair["tags"]["requestPayloadTruncated"] == "100000"
    assert node.sockets.kept_bytes == 0
    node.close()


def test_messages_under_way_share_a_bound(chunks: ModuleType, tap: Any) -> None:
    node = chunks.Node(memory_bytes=100_000)
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    for number in range(10):
        node.tell(tap(sock=number + 1, local=("10.0.0.5", 30000 + number)).sent(head + b"x" * 30_000))
    assert node.sockets.kept_bytes <= 100_000
    assert node.counters.unread[Unread.MEMORY] == 7
    node.close()


def test_when_capture_goes_away_what_is_under_way_is_handed_over(tap: Any, node: Any) -> None:
    whole, half = tap(sock=1), tap(sock=2, local=("10.0.0.5", 41000))
    node.tell([*whole.sent(GET), *half.sent(GET), *half.received(OK[:-2])])
    node.sockets.line_lost()
    (pair,) = node.pairs()
    assert pair["tags"]["incomplete"] == "gap"
    assert node.ledger.get(f"dropped.{Drop.GAP}") == 1
    assert len(node.sockets) == 0


def test_a_cgroup_that_is_captured_no_more_ends(tap: Any, node: Any) -> None:
    end = tap()
    node.tell([*end.sent(GET), *end.received(OK)])
    node.sockets.cgroup_ended(77)
    assert len(node.sockets) == 0
    assert node.counters.ended[Ended.CGROUP_ENDED] == 1


def test_bytes_told_again_are_taken_once(tap: Any, node: Any) -> None:
    end = tap(piece=7)
    asked, answered = end.sent(GET), end.received(OK)
    node.tell([*asked, *asked, *answered, *answered[1:], *end.closed()])
    (pair,) = node.pairs()
    assert pair["answered"] == b"hello"
    assert len(node.pairs()) == 0


def test_an_end_that_is_told_once_more_leaves_nothing_behind(chunks: ModuleType, tap: Any) -> None:
    with chunks.Node(idle_ns=10) as node:
        end, other = tap(), tap(sock=3, local=("10.0.0.5", 41000))
        node.tell([*end.sent(GET), *end.received(OK), *end.closed(), *end.closed(0)])
        node.tell(other.sent(GET, at=1_000_000))
        node.sockets.doze()
        assert len(node.sockets) == 1
        assert node.sockets.asleep == 0
        assert len(node.pairs()) == 1


def test_both_ends_of_a_socket_that_is_passed_over_are_its_last_word(chunks: ModuleType, tap: Any) -> None:
    with chunks.Node() as node:
        end = tap(role=wire.Role.SERVER, local=("127.0.0.1", 80), remote=("127.0.0.1", 40000))
        node.tell([*end.received(GET), *end.closed(0), *end.closed(1)])
        node.settle()
        assert len(node.sockets) == 0
        node.tell([*end.received(GET), *end.closed()])  # the name is another socket's now: it is judged anew
        assert node.counters.passed_over[Passed.LOOPBACK] == 2
