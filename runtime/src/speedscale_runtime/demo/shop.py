"""The application under test: a shop that logs customers in, prices baskets and takes orders.

It calls `accounts` over HTTPS and `payments` over HTTP, through whatever proxy and trust its environment names.
`--build changed` is a later build with two mistakes in it: tax is rounded down, and a field got another name.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import ssl
import urllib.error
import urllib.request
import uuid
from typing import Any, NamedTuple

from .web import Answer, Request, Routes, Server


class Product(NamedTuple):
    """What is sold; the price is in euro cents."""

    name: str
    price_cents: int


PRODUCTS = {
    "kettle": Product("Kettle", 3490),
    "teapot": Product("Teapot", 2775),
    "sencha": Product("Sencha, 100 g", 1299),
}
TAX_PERCENT = 19


class Shop:
    """The shop's own state: who is logged in and what they ordered."""

    def __init__(self, accounts: str, payments: str, changed: bool) -> None:
        self.accounts, self.payments, self.changed = accounts, payments, changed
        self.sessions: dict[str, str] = {}
        self.orders: dict[str, dict[str, Any]] = {}

    def health(self, request: Request) -> Answer:
        """Answer the probes."""
        return Answer(200, {"status": "up"})

    def products(self, request: Request) -> Answer:
        """List what is sold, priced in the currency asked for."""
        currency = request.query.removeprefix("currency=") or "EUR"
        _, rates = _call("GET", f"{self.payments}/v1/rates")
        rate = 1.0 if currency == "EUR" else rates["rates"][currency]
        items = [
            {"sku": sku, "name": p.name, "price": round(p.price_cents * rate) / 100} for sku, p in PRODUCTS.items()
        ]
        return Answer(200, {"currency": currency, "products": items})

    def login(self, request: Request) -> Answer:
        """Log a customer in at `accounts` and hand the token on."""
        status, answer = _call("POST", f"{self.accounts}/v1/sessions", request.body)
        if status != 200:
            return Answer(status, answer)
        token = uuid.uuid4().hex + uuid.uuid4().hex[:8]
        self.sessions[token] = answer["customerId"]
        body = {"sessionToken": token, "accessToken": answer["accessToken"], "customerId": answer["customerId"]}
        return Answer(200, body, (("Set-Cookie", f"shop_session={token}; HttpOnly; Path=/"),))

    def me(self, request: Request) -> Answer:
        """Show the customer who is logged in."""
        customer_id = self._customer(request)
        if customer_id is None:
            return Answer(401, {"error": "log in first"})
        status, customer = _call("GET", f"{self.accounts}/v1/customers/{customer_id}")
        return Answer(status, customer)

    def order(self, request: Request) -> Answer:
        """Price the basket, charge the card, keep the order."""
        customer_id = self._customer(request)
        if customer_id is None:
            return Answer(401, {"error": "log in first"})
        body = request.body
        net = sum(PRODUCTS[line["sku"]].price_cents * line["quantity"] for line in body["lines"])
        tax = net * TAX_PERCENT // 100 if self.changed else round(net * TAX_PERCENT / 100)
        charge = {
            "amountCents": round(net * (1 + TAX_PERCENT / 100)),
            "currency": "EUR",
            "card": body["card"],
            "receiptEmail": body["email"],
        }
        status, receipt = _call("POST", f"{self.payments}/v1/charges", charge)
        if status != 201:
            return Answer(status, receipt)
        order_id = str(uuid.uuid4())
        order = {
            ("order_id" if self.changed else "orderId"): order_id,
            "placedAt": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "netCents": net,
            "taxCents": tax,
            "totalCents": net + tax,
            "receipt": receipt["id"],
            "email": body["email"],
        }
        self.orders[order_id] = order
        return Answer(201, order, (("Location", f"/orders/{order_id}"),))

    def show_order(self, request: Request) -> Answer:
        """Show an order that was placed before."""
        if self._customer(request) is None:
            return Answer(401, {"error": "log in first"})
        order = self.orders.get(request.groups["id"])
        return Answer(200, order) if order else Answer(404, {"error": "no such order"})

    def logout(self, request: Request) -> Answer:
        """End the session."""
        self.sessions.pop(_bearer(request), None)
        return Answer(204)

    def _customer(self, request: Request) -> str | None:
        return self.sessions.get(_bearer(request))


def _bearer(request: Request) -> str:
    return str(request.headers.get("Authorization", "")).removeprefix("Bearer ")


def _call(method: str, url: str, body: Any = None) -> tuple[int, Any]:
    """Call a dependency, as any program would: proxy and trust come from the environment."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10, context=_tls(url)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read()
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, {"error": text.decode(errors="replace")[:500]}
    except OSError as error:
        return 502, {"error": f"{type(error).__name__}: dependency not reachable"}


def _tls(url: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if url.startswith("https:") else None


def routes(shop: Shop) -> Routes:
    """Return what the shop serves."""
    return [
        ("GET", "/healthz", shop.health),
        ("GET", "/products", shop.products),
        ("POST", "/login", shop.login),
        ("GET", "/me", shop.me),
        ("POST", "/orders", shop.order),
        ("GET", r"/orders/(?P<id>[\w-]+)", shop.show_order),
        ("POST", "/logout", shop.logout),
    ]


def main() -> None:
    """Serve the shop on `--port`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--build", choices=("stable", "changed"), default="stable")
    args = parser.parse_args()
    shop = Shop(os.environ["ACCOUNTS_URL"], os.environ["PAYMENTS_URL"], args.build == "changed")
    Server(routes(shop), args.port, "shop/3.2").serve_forever()


if __name__ == "__main__":
    main()
