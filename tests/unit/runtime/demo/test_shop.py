"""The demo's programs against each other, without anything of ours between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from speedscale_runtime.demo import accounts, payments
from speedscale_runtime.demo.client import CARDS, Visit
from speedscale_runtime.demo.shop import Shop, routes
from speedscale_runtime.demo.web import Server


@pytest.fixture
def servers() -> Iterator[dict[str, str]]:
    started: list[Server] = []

    def start(table: object, name: str) -> str:
        server = Server(table, 0, name)  # type: ignore[arg-type]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    urls = {"accounts": start(accounts.ROUTES, "accounts"), "payments": start(payments.ROUTES, "payments")}
    for build in ("stable", "changed"):
        shop = Shop(urls["accounts"], urls["payments"], build == "changed")
        urls[build] = start(routes(shop), "shop")
    yield urls
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("customer", sorted(CARDS))
def test_every_customer_s_visit_goes_as_it_should(servers: dict[str, str], customer: str) -> None:
    visit = Visit(servers["stable"], customer)
    visit.run()
    assert visit.requests == (8 if CARDS[customer].endswith("0002") else 9)
    assert visit.token in visit.secrets
    assert CARDS[customer] in visit.secrets


def test_the_changed_build_rounds_tax_down_and_renames_a_field(servers: dict[str, str]) -> None:
    def order(base: str) -> dict[str, object]:
        visit = Visit(base, "c-1001")
        visit.token = visit._expect(200, "POST", "/login", {"email": visit.email, "password": visit.password})[
            "sessionToken"
        ]
        body = {
            "lines": [{"sku": "kettle", "quantity": 1}, {"sku": "sencha", "quantity": 3}],
            "email": visit.email,
            "card": {"number": CARDS["c-1001"]},
        }
        placed: dict[str, object] = visit._expect(201, "POST", "/orders", body)
        return placed

    stable, changed = order(servers["stable"]), order(servers["changed"])
    assert (stable["taxCents"], changed["taxCents"]) == (1404, 1403)
    assert "orderId" in stable
    assert "order_id" in changed


def test_a_wrong_password_is_refused(servers: dict[str, str]) -> None:
    visit = Visit(servers["stable"], "c-1001")
    visit._expect(401, "POST", "/login", {"email": visit.email, "password": "wrong"})
