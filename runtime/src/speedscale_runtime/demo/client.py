"""The shop's customers: each logs in, looks around, orders, looks at the order and leaves."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from .accounts import CUSTOMERS

CARDS = {
    "c-1001": "4111 1111 1111 1111",
    "c-1002": "5555-5555-5555-4444",
    "c-1003": "4000000000000002",
}
STREETS = {"c-1001": "17 Harbour Lane", "c-1002": "4 Mill Road", "c-1003": "230 Station Avenue"}
ADDRESSES = {"c-1001": "203.0.113.77", "c-1002": "198.51.100.23", "c-1003": "2001:db8:85a3::8a2e:370:7334"}


class Visit:
    """One customer's visit; `secrets` gathers every value that must never be exported."""

    def __init__(self, base: str, customer_id: str) -> None:
        self.base, self.customer_id = base, customer_id
        customer = CUSTOMERS[customer_id]
        self.email, self.password = customer["email"], customer["password"]
        self.secrets = [v for k, v in customer.items() if k != "loyalty"]
        self.secrets += [CARDS[customer_id], ADDRESSES[customer_id], STREETS[customer_id]]
        self.token = ""
        self.requests = 0

    def run(self) -> None:
        """Make the visit; RuntimeError when the shop answers what it should not."""
        self._expect(200, "GET", "/healthz", agent="kube-probe/1.34")
        self._expect(200, "GET", "/products")
        self._expect(200, "GET", "/products?currency=USD")
        self._expect(401, "GET", "/me")
        login = self._expect(200, "POST", "/login", {"email": self.email, "password": self.password})
        self.token = login["sessionToken"]
        self.secrets += [login["sessionToken"], login["accessToken"]]
        self._expect(200, "GET", "/me")
        order = {
            "lines": [{"sku": "kettle", "quantity": 1}, {"sku": "sencha", "quantity": 3}],
            "email": self.email,
            "card": {"number": CARDS[self.customer_id], "cvc": "737", "expires": "11/29"},
            "shipTo": {"street": STREETS[self.customer_id], "postcode": "20457"},
        }
        declined = CARDS[self.customer_id].endswith("0002")
        placed = self._expect(402 if declined else 201, "POST", "/orders", order)
        if not declined:
            self._expect(200, "GET", f"/orders/{placed['orderId']}")
        self._expect(204, "POST", "/logout")

    def _expect(self, status: int, method: str, path: str, body: Any = None, agent: str = "shop-app/9.1") -> Any:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": agent,
            "X-Forwarded-For": ADDRESSES[self.customer_id],
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
            headers["Cookie"] = f"shop_session={self.token}; theme=dark"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as response:
                code, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            code, text = error.code, error.read()
        self.requests += 1
        if code != status:
            raise RuntimeError(f"{method} {path}: expected {status}, the shop answered {code}: {text[:300]!r}")
        return json.loads(text) if text else None
