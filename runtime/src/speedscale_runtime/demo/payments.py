"""Dependency two, over HTTP: charges cards."""

from __future__ import annotations

import argparse
import json
import uuid
from pathlib import Path

from .web import Answer, Request, Routes, Server


def charge(request: Request) -> Answer:
    """Charge a card; a card that ends in 0002 is declined."""
    body = request.body or {}
    number = str(body.get("card", {}).get("number", ""))
    if number.replace(" ", "").endswith("0002"):
        return Answer(402, {"error": "card_declined", "last4": number[-4:]})
    receipt = {
        "id": f"ch_{uuid.uuid4().hex[:16]}",
        "amountCents": body.get("amountCents"),
        "currency": body.get("currency", "EUR"),
        "captured": True,
        "receiptEmail": body.get("receiptEmail"),
    }
    return Answer(201, receipt, (("Location", f"/v1/charges/{receipt['id']}"),))


def rates(request: Request) -> Answer:
    """Return the exchange rates that the shop prices with."""
    return Answer(200, {"base": "EUR", "rates": {"USD": 1.0842, "GBP": 0.8571, "CHF": 0.9518}})


ROUTES: Routes = [("POST", "/v1/charges", charge), ("GET", "/v1/rates", rates)]


def main() -> None:
    """Serve HTTP on a free port; write the port to `--status-file`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--status-file", type=Path, required=True)
    args = parser.parse_args()
    server = Server(ROUTES, 0, "payments/2.0")
    args.status_file.write_text(json.dumps({"port": server.server_port}))
    server.serve_forever()


if __name__ == "__main__":
    main()
