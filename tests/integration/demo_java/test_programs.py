"""What the Java programs promise by themselves: answers, refusals, what a bad dependency costs, an end in order."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import Pki, builder, counts

pytestmark = pytest.mark.integration
Programs = Callable[..., Any]

ADA = {
    "name": "Ada Abel",
    "email": "ada.abel@example.com",
    "phone": "+1-202-555-0142",
    "address": {"street": "3 Mill Lane", "city": "Riverton"},
    "card": {"number": "4000001234567899", "expires": "11/2031"},
}
ORDER = {"customer": "ada", "reference": "first", "items": [{"product": "tea", "quantity": 2}]}
# As the operator writes it, with another path.
INJECTED = "-Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStorePassword=changeit"


def test_the_same_sources_are_the_same_jars(jars: Path, tmp_path: Path) -> None:
    again = builder().build(tmp_path / "elsewhere" / "deeper")
    assert [path.name for path in again] == ["server.jar", "client.jar"]
    for path in again:
        assert path.read_bytes() == (jars / path.name).read_bytes()


def test_customers_and_orders(programs: Programs) -> None:
    shop = programs("server")
    assert shop.ask("PUT", "/api/customers/ada", ADA) == (201, {"id": "ada", **ADA})
    assert shop.ask("PUT", "/api/customers/ada", ADA)[0] == 200
    assert shop.ask("GET", "/api/customers/ada") == (200, {"id": "ada", **ADA})
    status, order = shop.ask("POST", "/api/orders", ORDER)
    assert status == 201
    assert (order["totalCents"], order["payment"]) == (960, {"status": "on_account"})
    assert order["receipt"] == {"name": ADA["name"], "email": ADA["email"]}
    assert shop.ask("GET", f"/api/orders/{order['id']}") == (200, order)
    assert shop.ask("GET", "/api/orders?customer=ada") == (200, {"customer": "ada", "orders": [order]})
    assert shop.ask("DELETE", "/api/customers/ada") == (204, None)
    assert shop.ask("GET", f"/api/orders/{order['id']}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/nowhere", None, 404, "no_such_path"),
        ("PATCH", "/api/products", None, 405, "method_not_allowed"),
        ("PUT", "/api/customers/ada", [], 400, "not_an_object"),
        ("PUT", "/api/customers/ada", {**ADA, "email": 7}, 422, "field_wrong"),
        ("PUT", "/api/customers/ada", {**ADA, "name": "x" * 70_000}, 413, "too_large"),
        ("POST", "/api/orders", ORDER, 404, "no_such_customer"),
        ("GET", "/api/orders", None, 400, "query_wrong"),
    ],
)
def test_refusals_have_reasons(
    programs: Programs, method: str, path: str, body: object, status: int, reason: str
) -> None:
    got, answer = programs("server").ask(method, path, body)
    assert (got, answer["reason"]) == (status, reason)
    assert answer["message"]


def test_a_redacted_customer_is_taken_as_any_other(programs: Programs) -> None:
    token = "REDACTED-CARD-0123456789abcdef0123"
    redacted = {**ADA, "email": "REDACTED-EMAIL-0123456789abcdef0123", "card": {"number": token, "expires": "11/2031"}}
    assert programs("server").ask("PUT", "/api/customers/ada", redacted)[0] == 201


def test_the_client_finds_every_answer_right(programs: Programs) -> None:
    shop = programs("server")
    clients = [programs("client", SERVER_URL=f"http://localhost:{shop.port}", ROUNDS=12, SEED=seed) for seed in (1, 2)]
    assert [client.wait() for client in clients] == [0, 0], clients[0].lines
    for client in clients:
        found = counts(client)
        assert (found["rounds"], found["unexpected"], found["failures"]) == (12, 0, {})
        assert sum(found["answers"].values()) == found["requests"] > 80
        assert set(found["answers"]) >= {"200", "201", "204"}
    assert shop.ask("GET", "/api/customers/c-1-0")[0] == 404, "a round leaves nothing behind"


def test_the_same_seed_asks_the_same(programs: Programs) -> None:
    shop = programs("server")
    found = []
    for _ in range(2):
        client = programs("client", SERVER_URL=f"http://localhost:{shop.port}", ROUNDS=5, SEED=7)
        assert client.wait() == 0
        found.append(counts(client))
    assert found[0] == found[1]


def test_a_client_tells_wrong_answers_and_none(programs: Programs) -> None:
    payments = programs("server", ROLE="payments")
    client = programs("client", SERVER_URL=f"http://localhost:{payments.port}", ROUNDS=1)
    assert client.wait() == 1
    assert counts(client)["unexpected"] > 0
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        client = programs("client", SERVER_URL=f"http://localhost:{taken.getsockname()[1]}", ROUNDS=1)
        assert client.wait() == 1
    assert counts(client)["failures"] == {"ConnectException": 1}


def test_a_client_ends_when_asked_and_has_counted(programs: Programs) -> None:
    shop = programs("server")
    client = programs("client", SERVER_URL=f"http://localhost:{shop.port}", REPORT_ROUNDS=1)
    client.until("counts rounds=2")
    client.ask_to_end()
    assert client.wait() == 0
    assert counts(client)["rounds"] >= 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_orders_are_paid_by_the_dependency(programs: Programs, pki: Pki, scheme: str) -> None:
    payments = programs("server", ROLE="payments", **(pki.served if scheme == "https" else {}))
    shop = programs(
        "server",
        DEPENDENCY_URL=f"{scheme}://localhost:{payments.port}/",
        JAVA_TOOL_OPTIONS=INJECTED.format(pki.jks),
    )
    shop.ask("PUT", "/api/customers/ada", ADA)
    status, order = shop.ask("POST", "/api/orders", ORDER)
    assert status == 201, order
    assert order["payment"]["status"] == "paid"
    assert order["payment"]["charge"].startswith("ch-")
    dear = {**ORDER, "reference": "second", "items": [{"product": "grinder", "quantity": 4}]}
    status, answer = shop.ask("POST", "/api/orders", dear)
    assert (status, answer["reason"]) == (402, "card_declined")


def test_a_ca_that_the_jvm_does_not_know_is_told(programs: Programs, pki: Pki) -> None:
    payments = programs("server", ROLE="payments", **pki.served)
    shop = programs("server", DEPENDENCY_URL=f"https://localhost:{payments.port}")
    shop.ask("PUT", "/api/customers/ada", ADA)
    status, answer = shop.ask("POST", "/api/orders", ORDER)
    assert (status, answer["reason"]) == (502, "dependency_not_trusted")


def test_a_dependency_that_is_gone_is_told(programs: Programs) -> None:
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        shop = programs("server", DEPENDENCY_URL=f"http://localhost:{taken.getsockname()[1]}")
        shop.ask("PUT", "/api/customers/ada", ADA)
        status, answer = shop.ask("POST", "/api/orders", ORDER)
    assert (status, answer["reason"]) == (502, "dependency_unreachable")
    assert shop.ask("GET", "/api/orders?customer=ada")[1]["orders"] == []


def test_a_dependency_that_says_nothing_costs_few_threads(programs: Programs) -> None:
    """It accepts and never answers: eight wait until the timeout, the rest is refused, and health is as ever."""
    with socket.create_server(("localhost", 0), backlog=64) as silent:
        shop = programs(
            "server", DEPENDENCY_URL=f"http://localhost:{silent.getsockname()[1]}", DEPENDENCY_TIMEOUT_MS=4000
        )
        shop.ask("PUT", "/api/customers/ada", ADA)
        with ThreadPoolExecutor(16) as callers:
            asked = [
                callers.submit(shop.ask, "POST", "/api/orders", {**ORDER, "reference": f"r{n}"}) for n in range(16)
            ]
            shop.until("dependency_busy")
            assert shop.ask("GET", "/healthz") == (200, {"status": "ok"})
            reasons = sorted(future.result()[1]["reason"] for future in asked)
    assert set(reasons) == {"dependency_busy", "dependency_timeout"}
    assert reasons.count("dependency_timeout") <= 8 + 8, reasons


def test_an_end_loses_no_request(programs: Programs) -> None:
    payments = programs("server", ROLE="payments", DELAY_MS=1500, DRAIN_SECONDS=1)
    port = payments.port
    charge = {"reference": "r", "amountCents": 5, "currency": "EUR", "customer": ADA, "card": ADA["card"]}
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(payments.ask("POST", "/v1/charges", charge, port=port)))
    caller.start()
    while not _is_read(port):
        pass
    payments.ask_to_end()
    payments.until("stopping")
    assert payments.ask("GET", "/healthz", port=port) == (503, {"status": "draining"})
    caller.join(30)
    assert payments.wait() == 0
    assert "stopped cut=0" in payments.lines
    assert [status for status, _ in answers] == [201]


def _is_read(port: int) -> bool:
    """Return whether a connection to the port is established whose bytes the server took (proc(5), tcp queues)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state, queues = line.split()[1], line.split()[3], line.split()[4]
            if int(local.rpartition(":")[2], 16) == port and state == "01" and queues.endswith(":00000000"):
                return True
    return False


def test_settings_that_are_wrong_are_told_at_once(programs: Programs) -> None:
    server = programs("server", PORT="web", ROLE="bank", DEPENDENCY_URL="payments:8443", TLS_CERT_FILE="/tls.crt")
    assert server.wait() == 2
    for name in ("PORT", "ROLE", "DEPENDENCY_URL", "TLS_KEY_FILE"):
        assert re.search(rf"settings_refused reason=.*{name}", server.lines), server.lines
    client = programs("client", ROUNDS="-1")
    assert client.wait() == 2
    assert "SERVER_URL: missing" in client.lines


def test_a_key_of_another_form_is_told(programs: Programs, pki: Pki, tmp_path: Path) -> None:
    pki.key.write_text("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
    server = programs("server", **pki.served)
    assert server.wait() == 2
    assert "PKCS #8" in server.lines
