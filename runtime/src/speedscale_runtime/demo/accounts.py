"""Dependency one, over HTTPS: who the customers are. Logs them in and gives out their profiles."""

from __future__ import annotations

import argparse
import json
import ssl
import time
import uuid
from pathlib import Path

import jwt

from .web import Answer, Request, Routes, Server

SIGNING_KEY = "a signing key of the demo's own, 32 bytes and more"

# Known test data only: reserved domains, reserved phone ranges, test card numbers.
CUSTOMERS = {
    "c-1001": {
        "email": "first.customer@example.com",
        "password": "correct-horse-7",
        "phone": "+1-202-555-0143",
        "dateOfBirth": "1984-03-09",
        "ssn": "219-09-9999",
        "loyalty": "gold",
    },
    "c-1002": {
        "email": "second.customer@example.org",
        "password": "battery-staple-9",
        "phone": "+44 20 7946 0958",
        "dateOfBirth": "1991-11-23",
        "ssn": "457-55-5462",
        "loyalty": "silver",
    },
    "c-1003": {
        "email": "third.customer@example.net",
        "password": "tr0ub4dor-and-3",
        "phone": "+1-415-555-0198",
        "dateOfBirth": "1979-07-30",
        "ssn": "078-05-1121",
        "loyalty": "none",
    },
}


def log_in(request: Request) -> Answer:
    """Exchange e-mail and password for an access token."""
    body = request.body or {}
    for customer_id, customer in CUSTOMERS.items():
        if body.get("email") == customer["email"] and body.get("password") == customer["password"]:
            now = int(time.time())
            claims = {"sub": customer_id, "email": customer["email"], "iat": now, "exp": now + 900}
            token = jwt.encode({**claims, "jti": uuid.uuid4().hex}, SIGNING_KEY, algorithm="HS256")
            return Answer(200, {"accessToken": token, "tokenType": "Bearer", "customerId": customer_id})
    return Answer(401, {"error": "wrong e-mail or password"})


def profile(request: Request) -> Answer:
    """Return one customer, without the password."""
    customer = CUSTOMERS.get(request.groups["id"])
    if customer is None:
        return Answer(404, {"error": "no such customer"})
    shown = {k: v for k, v in customer.items() if k != "password"}
    return Answer(200, {"id": request.groups["id"], **shown})


ROUTES: Routes = [("POST", "/v1/sessions", log_in), ("GET", r"/v1/customers/(?P<id>[\w-]+)", profile)]


def main() -> None:
    """Serve HTTPS on a free port with the given certificate; write the port to `--status-file`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--status-file", type=Path, required=True)
    args = parser.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(args.certificate)
    server = Server(ROUTES, 0, "accounts/1.4", tls)
    args.status_file.write_text(json.dumps({"port": server.server_port}))
    server.serve_forever()


if __name__ == "__main__":
    main()
