"""Seeded traffic for the redaction tests: API-shaped pairs with planted values and hard negatives.

`samples(seed, count)` yields the same samples for the same seed. Every planted value is recorded with the sample,
however its writer encoded it; every harmless id, too. No value here belongs to anybody.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import brotli
import zstandard

from speedscale_schemas.frames import Frame

FIRST = ("Ada", "Grace", "Linus", "Margaret", "Søren", "Zoë", "Katherine", "Alan")
LAST = ("Lovelace", "Hopper", "Hamilton", "Nuñez", "Turingson", "Johnsonville", "Kierkegaard")
STREETS = ("Elm Street", "Oak Avenue", "Hauptstrasse", "Rue de Rivoli", "Market Square")


@dataclass
class Values:
    """What was planted and what is harmless; makers add to it."""

    random: random.Random
    planted: list[str] = field(default_factory=list)
    harmless: list[str] = field(default_factory=list)

    def plant(self, value: str) -> str:
        self.planted.append(value)
        return value

    def keep(self, value: str) -> str:
        self.harmless.append(value)
        return value

    def digits(self, count: int) -> str:
        return "".join(str(self.random.randrange(10)) for _ in range(count))

    def hexes(self, count: int) -> str:
        return "".join(self.random.choice("0123456789abcdef") for _ in range(count))

    def email(self) -> str:
        r = self.random
        local = f"{r.choice(FIRST[:4]).lower()}{r.choice(('.', '_', '+', ''))}{self.digits(4)}"
        return self.plant(f"{local}@mail{self.digits(2)}.example.com")

    def card(self) -> str:
        r = self.random
        prefix, length = r.choice((("4", 16), ("51", 16), ("37", 15), ("6011", 16), ("2221", 16)))
        body = prefix + self.digits(length - len(prefix) - 1)
        number = body + luhn_digit(body)
        return self.plant(" ".join(number[i : i + 4] for i in range(0, length, 4)) if r.random() < 0.4 else number)

    def ssn(self) -> str:
        r = self.random
        return self.plant(f"{r.randrange(100, 600):03}-{r.randrange(10, 99)}-{r.randrange(1000, 9999)}")

    def phone(self) -> str:
        r = self.random
        line = f"{r.randrange(1000, 9999)}"
        return self.plant(r.choice((f"+1415555{line}", f"(212) 555-{line}", f"415-555-{line}", f"+44 20 7946 {line}")))

    def iban(self) -> str:
        body = "37040044" + self.digits(10)
        check = 98 - int(body + "131400") % 97
        return self.plant(f"DE{check:02}{body}")

    def jwt(self, email: str) -> str:
        head = _b64url(b'{"alg":"HS256","typ":"JWT"}')
        payload = _b64url(json.dumps({"sub": self.hexes(8), "email": email}).encode())
        return self.plant(f"{head}.{payload}.{_b64url(self.random.randbytes(32))}")

    def secret(self) -> str:
        r = self.random
        kinds = (
            "AKIA" + "".join(r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16)),
            "ghp_" + "".join(r.choice("abcXYZ0123456789") for _ in range(36)),
            "sk_live_" + self.hexes(24),
            "xoxb-" + self.digits(12) + "-" + self.hexes(16),
        )
        return self.plant(r.choice(kinds))

    def ip(self) -> str:
        return self.plant(f"203.0.{self.random.randrange(1, 250)}.{self.random.randrange(1, 250)}")

    def password(self) -> str:
        return self.plant(f"Pa5-{self.hexes(10)}!")

    def name(self) -> str:
        tail = self.hexes(5).translate(str.maketrans("0123456789", "ghijklmnop"))
        return self.plant(f"{self.random.choice(FIRST)} {self.random.choice(LAST)}{tail}")

    def street(self) -> str:
        return self.plant(f"{self.random.randrange(1, 999)} {self.random.choice(STREETS)} {self.hexes(5)}z")

    def uuid(self) -> str:
        h = self.hexes(32)
        return self.keep(f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}")


def luhn_digit(body: str) -> str:
    """Return the check digit that makes the number pass Luhn."""
    total = 0
    for i, c in enumerate(reversed(body)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return str(-total % 10)


@dataclass(frozen=True)
class Sample:
    """One frame, what was planted in it and what has to survive."""

    name: str
    frame: Frame
    planted: tuple[str, ...]
    harmless: tuple[str, ...]
    content_type: str
    coding: str


def harmless(v: Values) -> dict[str, object]:
    """Return ids that look like something and are nothing."""
    r = v.random
    return {
        "id": v.uuid(),
        "traceId": v.keep(v.hexes(32)),
        "sha256": v.keep(v.hexes(64)),
        "createdAt": v.keep(f"17{v.digits(11)}"),
        "orderId": v.keep(f"ORD-{v.digits(8)}"),
        "version": v.keep(f"{r.randrange(9)}.{r.randrange(20)}.{r.randrange(20)}"),
        "lat": float(v.keep(str(round(r.uniform(-89, 89), 6)))),
        "monkey": v.keep(f"banana{v.digits(3)}"),
        "public_key": v.keep(f"pub{v.hexes(12)}"),
        "token_type": "Bearer",
        "total_tokens": r.randrange(1000, 9000),
        "when": v.keep(f"2024-11-{r.randrange(10, 28)}T14:23:05.123Z"),
    }


def document(v: Values) -> dict[str, object]:
    """Return a record of a person, as APIs have them."""
    email = v.email()
    return {
        "meta": harmless(v),
        "customer": {
            "name": v.name(),
            "email": email,
            "phone": v.phone(),
            "ssn": v.ssn(),
            "address": {"street": v.street(), "city": "Springfield"},
            "card": {"number": v.card(), "brand": "visa"},
            "iban": v.iban(),
            "last_login_ip": v.ip(),
        },
        "credentials": {"password": v.password(), "apiKey": v.plant("key-" + v.hexes(20)), "jwt": v.jwt(email)},
        "notes": f"call {v.phone()} or write to {v.email()}, key {v.secret()}",
    }


def as_json(v: Values) -> tuple[bytes, str]:
    return json.dumps(document(v), ensure_ascii=v.random.random() < 0.5).encode(), "application/json"


def as_escaped_json(v: Values) -> tuple[bytes, str]:
    text = json.dumps(document(v))

    def escape(c: str) -> str:
        code = f"\\u{ord(c):04x}" if v.random.random() < 0.5 else f"\\u{ord(c):04X}"
        return code if c in "@.-+0123456789" and v.random.random() < 0.5 else c

    return _inside_strings(text, escape).encode(), "application/json"


def as_nested_json(v: Values) -> tuple[bytes, str]:
    inner = json.dumps({"payload": json.dumps(document(v))})
    return json.dumps({"event": "x", "data": inner}).encode(), "application/json"


def as_base64(v: Values) -> tuple[bytes, str]:
    raw = json.dumps(document(v)).encode()
    if v.random.random() < 0.5:
        raw = gzip.compress(raw, mtime=0)
    coded = base64.urlsafe_b64encode(raw).rstrip(b"=") if v.random.random() < 0.3 else base64.b64encode(raw)
    return json.dumps({"Records": [{"kinesis": {"data": coded.decode()}}], "id": v.uuid()}).encode(), "application/json"


def as_xml(v: Values) -> tuple[bytes, str]:
    email, password = v.email(), v.password()
    return (
        f'<?xml version="1.0"?><order id="{v.uuid()}"><customer email="{html.escape(email)}">'
        f"<firstName>{v.name()}</firstName>"
        f"<phone>{v.phone()}</phone><ssn>{v.ssn()}</ssn><password>{html.escape(password)}</password></customer>"
        f"<note><![CDATA[card {v.card()} & more]]></note><mail>{_references(v.email())}</mail></order>"
    ).encode(), "application/xml"


def as_form(v: Values) -> tuple[bytes, str]:
    return urlencode(
        {
            "email": v.email(),
            "password": v.password(),
            "card[number]": v.card(),
            "phone": v.phone(),
            "ref": v.uuid(),
            "comment": f"my ssn is {v.ssn()}",
            "next": "/home?mail=" + quote(v.email()),
        }
    ).encode(), "application/x-www-form-urlencoded"


def as_multipart(v: Values) -> tuple[bytes, str]:
    mark = "----form" + v.hexes(12)
    parts = [
        ("email", "", v.email()),
        ("password", "", v.password()),
        ("id", "", v.uuid()),
        ("profile", "application/json", json.dumps(document(v))),
    ]
    lines = []
    for name, kind, text in parts:
        extra = f'; filename="{name}.json"\r\nContent-Type: {kind}' if kind else ""
        lines.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{text}\r\n')
    return ("".join(lines) + f"--{mark}--\r\n").encode(), f"multipart/form-data; boundary={mark}"


def as_text(v: Values) -> tuple[bytes, str]:
    return (
        f"INFO user={v.email()} ip={v.ip()} password={v.password()} trace={v.keep(v.hexes(32))}\n"
        f"WARN Authorization: Bearer {v.plant(v.hexes(30) + '9')}\n"
        f"DEBUG dsn=postgres://app:{v.plant('dbpw' + v.hexes(10))}@db:5432/x\n"
        f"card {v.card()} iban {v.iban()} v1.2.3.4 {v.uuid()}\n"
    ).encode(), "text/plain"


def as_sql(v: Values) -> tuple[bytes, str]:
    return (
        f"UPDATE users SET password = '{v.password()}', phone = '{v.phone()}' WHERE email = '{v.email()}'"
        f" AND id = '{v.uuid()}';"
        f" SELECT * FROM cards WHERE pan = '{v.card()}' OR ssn = '{v.ssn()}'"
    ).encode(), "application/sql"


def as_events(v: Values) -> tuple[bytes, str]:
    return f"event: user\ndata: {json.dumps(document(v))}\n\ndata: plain {v.email()}\n\n".encode(), "text/event-stream"


def as_utf16(v: Values) -> tuple[bytes, str]:
    return f"mail {v.email()} and {v.ssn()} ok".encode("utf-16-le"), "text/plain; charset=utf-16le"


def as_lines(v: Values) -> tuple[bytes, str]:
    return "\n".join(json.dumps(document(v)) for _ in range(2)).encode(), "application/x-ndjson"


WRITERS: dict[str, Callable[[Values], tuple[bytes, str]]] = {
    "json": as_json,
    "escaped": as_escaped_json,
    "nested": as_nested_json,
    "base64": as_base64,
    "xml": as_xml,
    "form": as_form,
    "multipart": as_multipart,
    "text": as_text,
    "sql": as_sql,
    "events": as_events,
    "utf16": as_utf16,
    "lines": as_lines,
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda b: b,
    "gzip": lambda b: gzip.compress(b, mtime=0),
    "deflate": zlib.compress,
    "br": lambda b: bytes(brotli.compress(b, quality=3)),
    "zstd": lambda b: zstandard.ZstdCompressor().compress(b),
}


def samples(seed: int, count: int) -> Iterator[Sample]:
    """Yield `count` samples that go through all writers and codings."""
    names, codings = list(WRITERS), list(CODINGS)
    for i in range(count):
        writer, coding = names[i % len(names)], codings[(i // len(names)) % len(codings)]
        yield sample(seed * 1_000_003 + i, writer, coding)


def sample(seed: int, writer: str, coding: str) -> Sample:
    """Return one sample."""
    v = Values(random.Random(seed))
    body, kind = WRITERS[writer](v)
    head = head_of(v, kind, coding, body)
    wire = CODINGS[coding](body)
    head["http"]["res"]["headers"]["Content-Length"] = [str(len(wire))]
    return Sample(
        f"{writer}/{coding or 'plain'}/{seed}",
        Frame(json.dumps(head).encode(), b"", wire),
        tuple(v.planted),
        tuple(v.harmless),
        kind,
        coding,
    )


def head_of(v: Values, kind: str, coding: str, body: bytes) -> dict:
    """Return a record's head with values in URL, headers, cookies and what was computed from them."""
    email, token, session = v.email(), v.plant("tok" + v.hexes(24)), v.plant("s" + v.hexes(20) + "1")
    scheme = v.random.choice(("bearer", "basic", "jwt"))
    if scheme == "basic":
        credentials = "Basic " + base64.b64encode(f"svc:{v.password()}".encode()).decode()
    else:
        credentials = "Bearer " + (token if scheme == "bearer" else v.jwt(email))
    path = f"/users/{quote(email, safe='')}/orders"
    uri = f"{path}?access_token={token}&ref={v.uuid()}"
    response = {"Content-Type": [kind], "Set-Cookie": [f"sid={session}; Path=/; HttpOnly"], "X-Request-Id": [v.uuid()]}
    if coding:
        response["Content-Encoding"] = [coding]
    request = {
        "Authorization": [credentials],
        "Cookie": [f"theme=dark; sid={session}; mail={quote(email)}"],
        "User-Agent": ["Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36"],
        "X-Forwarded-For": [v.ip()],
        "Referer": [f"https://shop.example/login?email={quote(email)}"],
        "Host": ["10.1.2.3:8080"],
    }
    return {
        "msgType": "rrpair",
        "resource": "shop",
        "ts": "2026-01-15T18:45:59.515710Z",
        "l7protocol": "http",
        "duration": 3,
        "uuid": base64.b64encode(v.random.randbytes(16)).decode(),
        "direction": "IN",
        "command": "GET",
        "location": path,
        "status": "200",
        "session": session,
        "network_address": "10.1.2.3:8080",
        "tags": {"captureMode": "proxy", "sequence": "7"},
        "http": {
            "req": {
                "url": path,
                "uri": uri,
                "version": "1.1",
                "method": "GET",
                "host": "10.1.2.3:8080",
                "headers": request,
                "queryParams": {"access_token": [token]},
            },
            "res": {"contentType": kind, "statusCode": 200, "statusMessage": "200 OK", "headers": response},
        },
        "signature": {
            "http:url": base64.b64encode(path.encode()).decode(),
            "http:queryparams:access_token": base64.b64encode(token.encode()).decode(),
        },
        "tokenList": {
            f"EMAIL:{email}": {
                "id": f"EMAIL:{email}",
                "tokens": [
                    {
                        "token": {
                            "location": "http.req.url",
                            "pattern": "DATA_PATTERN_EMAIL",
                            "replacementValue": base64.b64encode(email.encode()).decode(),
                        }
                    }
                ],
            }
        },
        "netinfo": {"id": "1", "downstream": {"ipAddress": "10.1.9.9", "port": 53674}},
        "events": [{"message": f"failed for {email}"}],
    }


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _references(text: str) -> str:
    return "".join(f"&#{ord(c)};" if c == "@" else f"&#x{ord(c):X};" if c == "." else c for c in text)


def _inside_strings(text: str, change: Callable[[str], str]) -> str:
    out, inside, skip = [], False, 0
    for i, c in enumerate(text):
        if skip:
            skip -= 1
            out.append(c)
        elif c == "\\":
            skip = 5 if text[i + 1] == "u" else 1
            out.append(c)
        elif c == '"':
            inside = not inside
            out.append(c)
        else:
            out.append(change(c) if inside else c)
    return "".join(out)
