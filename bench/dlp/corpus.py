"""The corpus generator: API-shaped documents with known values in them, and clean ones with hard negatives only.

`documents(seed, count)` and `clean(seed, count)` give the same documents for the same seed. A document knows the span
of each value in its own bytes, as its format escapes it. Names of people in running text are not planted: they
count by the name of their field.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import quote_plus

from . import values
from .locales import LOCALES, Locale, digits, fill

_OPEN, _CLOSE = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [start, end) of a document are a value of a kind; `value` is the value itself."""

    start: int
    end: int
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Document:
    """A body with its content type and what is to be found in it."""

    shape: str
    content_type: str
    data: bytes
    spans: tuple[Span, ...]


class _Maker:
    """Plants values into a template and cuts them out of the finished text again."""

    def __init__(self, rng: random.Random, place: Locale) -> None:
        self.rng, self.place = rng, place
        self.planted: list[tuple[str, str]] = []

    def plant(self, kind: str, value: str) -> str:
        self.planted.append((kind, value))
        return f"{_OPEN}{len(self.planted) - 1}{_CLOSE}"

    def key(self, name: str) -> str:
        local = self.place.keys.get(name)
        return local if local and self.rng.random() < 0.5 else _ENGLISH[name]

    def finish(self, shape: str, content_type: str, text: str, spelt: Callable[[str], str]) -> Document:
        out, spans = bytearray(), []
        rest = text
        while _OPEN in rest:
            before, _, rest = rest.partition(_OPEN)
            number, _, rest = rest.partition(_CLOSE)
            kind, value = self.planted[int(number)]
            out += before.encode()
            start = len(out)
            out += spelt(value).encode()
            spans.append(Span(start, len(out), kind, value))
        out += rest.encode()
        return Document(shape, content_type, bytes(out), tuple(spans))

    def mail(self) -> str:
        return self.plant("EMAIL", values.mail(self.rng, self.place))

    def phone(self) -> str:
        return self.plant("PHONE", values.phone(self.rng, self.place))

    def person(self) -> dict[str, object]:
        rng, place = self.rng, self.place
        first, last = rng.choice(place.first), rng.choice(place.last)
        out: dict[str, object] = {}
        if "name" in place.keys and rng.random() < 0.7:
            out[self.key("name")] = self.plant("NAME", f"{last} {first}")
        else:
            out[self.key("first")] = self.plant("NAME", first)
            out[self.key("last")] = self.plant("NAME", last)
        out["email"] = self.mail()
        out[self.key("phone")] = self.phone()
        street = fill(rng, rng.choice(place.streets))
        out["address"] = {self.key("street"): self.plant("ADDRESS", street), "city": rng.choice(place.cities)}
        out[self.key("dob")] = self.plant("BIRTH_DATE", values.birth(rng))
        out[place.id_key] = self.plant(place.id_kind, place.national(rng))
        return out

    def noise(self, count: int) -> dict[str, object]:
        return dict(values.negative(self.rng) for _ in range(count))


_ENGLISH = {
    "first": "firstName", "last": "last_name", "name": "full_name", "phone": "phoneNumber", "street": "streetAddress",
    "address": "shipping_address", "dob": "dateOfBirth", "password": "password",
}  # fmt: skip


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _same(text: str) -> str:
    return text


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _customer(m: _Maker) -> Document:
    body = {"customer": m.person(), **m.noise(6)}
    return m.finish("json customer", "application/json", _dumps(body), _json)


def _list(m: _Maker) -> Document:
    body = {"items": [m.person() | m.noise(2) for _ in range(3)], **m.noise(2)}
    return m.finish("json list", "application/json", json.dumps(body, ensure_ascii=False, indent=2), _json)


def _payment(m: _Maker) -> Document:
    rng = m.rng
    body: dict[str, object] = {
        rng.choice(("cardNumber", "card", "source", "account")): m.plant("CREDIT_CARD", values.card(rng)),
        "cvv": m.plant("SECURITY_CODE", digits(rng, 3)),
        rng.choice(("cardHolder", "nameOnCard")): m.plant(
            "NAME", f"{rng.choice(m.place.first)} {rng.choice(m.place.last)}"
        ),
        rng.choice(("iban", "beneficiary", "creditor")): m.plant("IBAN", values.iban(rng)),
        "expiry": "12/27",
        **m.noise(5),
    }
    return m.finish("json payment", "application/json", _dumps(body), _json)


def _login(m: _Maker) -> Document:
    rng = m.rng
    body: dict[str, object] = {
        rng.choice(("username", "login")): m.mail(),
        m.key("password"): m.plant("PASSWORD", values.opaque(rng)),
        rng.choice(("client_secret", "apiKey", "access_token", "refreshToken")): m.plant("SECRET", values.opaque(rng)),
        "id_token": m.plant("JWT", values.jwt(rng)),
        rng.choice(("value", "data", "note")): m.plant("SECRET", values.secret(rng)),
        **m.noise(4),
    }
    return m.finish("json login", "application/json", _dumps(body), _json)


def _note(m: _Maker) -> Document:
    rng = m.rng
    text = m.place.note.format(name="K.", phone=m.phone(), mail=m.mail())
    text += f" {m.place.id_word}: {m.plant(m.place.id_kind, m.place.national(rng))}."
    text += f" IP {m.plant('IP4', values.address4(rng))}."
    if rng.random() < 0.5:
        text += f" card {m.plant('CREDIT_CARD', values.card(rng))}, IBAN {m.plant('IBAN', values.iban(rng))}."
    body = {"ticket": digits(rng, 5), "comment": text, **m.noise(4)}
    return m.finish("json note", "application/json", _dumps(body), _json)


def _nested(m: _Maker) -> Document:
    inner = _dumps({"user": m.person(), "n": 1})
    body = {"detail": _OPEN + "x" + _CLOSE, **m.noise(2)}
    outer = _dumps(body).replace(_OPEN + "x" + _CLOSE, _json(inner))
    return m.finish("json in json", "application/json", outer, lambda v: _json(_json(v)))


def _labelled(m: _Maker) -> Document:
    rng = m.rng
    fields = [
        {"name": "email", "value": m.mail()},
        {"name": "phone", "value": m.phone()},
        {"name": m.place.id_key, "value": m.plant(m.place.id_kind, m.place.national(rng))},
        {"name": "colour", "value": "red"},
    ]
    return m.finish("json labelled", "application/json", _dumps({"fields": fields, **m.noise(3)}), _json)


def _xml(m: _Maker) -> Document:
    person = m.person()
    fields = "".join(
        f"<{k.replace(' ', '_')}>{v}</{k.replace(' ', '_')}>" for k, v in person.items() if isinstance(v, str)
    )
    street = next(iter(person["address"].values()))  # type: ignore[attr-defined]
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Body><order id="{digits(m.rng, 8)}" version="1.4.2"><customer contact="{m.mail()}">{fields}'
        f"<street>{street}</street></customer><price>12.50</price></order></soap:Body></soap:Envelope>"
    )
    return m.finish("xml", "application/soap+xml", text, lambda v: escape(v, quote=True))


def _form(m: _Maker) -> Document:
    rng = m.rng
    fields = {k: v for k, v in m.person().items() if isinstance(v, str)}
    fields |= {"password": m.plant("PASSWORD", values.opaque(rng)), "cc": m.plant("CREDIT_CARD", values.card(rng))}
    fields |= {"page": "2", "order": "ORD-" + digits(rng, 8)}
    text = "&".join(f"{quote_plus(k)}={v}" for k, v in fields.items())
    return m.finish("form", "application/x-www-form-urlencoded", text, quote_plus)


def _multipart(m: _Maker) -> Document:
    mark = "----b" + digits(m.rng, 12)
    fields = {k: v for k, v in m.person().items() if isinstance(v, str)} | {"quantity": "3"}
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    return m.finish("multipart", f"multipart/form-data; boundary={mark}", "".join(parts) + f"--{mark}--\r\n", _same)


def _sql(m: _Maker) -> Document:
    rng, place = m.rng, m.place
    first, street = rng.choice(place.first), fill(rng, rng.choice(place.streets))
    text = (
        "INSERT INTO customers (id, first_name, email, phone, street, created) VALUES "
        f"({digits(rng, 6)}, '{m.plant('NAME', first)}', '{m.mail()}', '{m.phone()}', "
        f"'{m.plant('ADDRESS', street)}', '2026-01-15 10:00:00'); "
        f"UPDATE accounts SET password = '{m.plant('PASSWORD', values.opaque(rng))}', "
        f"iban = '{m.plant('IBAN', values.iban(rng))}' "
        f"WHERE email = '{m.mail()}' AND order_id = {digits(rng, 9)}"
    )
    return m.finish("sql", "text/plain", text, lambda v: v.replace("'", "''"))


def _graphql(m: _Maker) -> Document:
    query = "mutation Register($input: UserInput!) { register(input: $input) { id status } }"
    body = {"query": query, "operationName": "Register", "variables": {"input": m.person()}}
    return m.finish("graphql", "application/json", _dumps(body), _json)


def _log(m: _Maker) -> Document:
    rng = m.rng
    lines = [
        f"{m.plant('IP4', values.address4(rng))} - - [15/Jan/2026:10:00:00 +0000] "
        f'"GET /items/{digits(rng, 5)} HTTP/1.1" 200 512',
        f"level=info msg=login user={m.mail()} duration=12ms trace={values.text(rng, 32, '0123456789abcdef')}",
        f"level=warn peer=[{m.plant('IP6', values.address6(rng))}]:443 "
        f"device={m.plant('MAC', values.hardware(rng))} version=1.2.3",
        f"Authorization: Bearer {m.plant('SECRET', values.text(rng, 16) + '7x' + values.text(rng, 16))}",
        f"AUTH_TOKEN={m.plant('SECRET', values.secret(rng))}",
        f"postgres://app:{m.plant('PASSWORD', values.text(rng, 14))}@db.internal:5432/orders",
    ]
    rng.shuffle(lines)
    return m.finish("log", "text/plain", "\n".join(lines) + "\n", _same)


def _numbers(m: _Maker) -> Document:
    rng = m.rng
    body = {"ssn": 0, "mobile": 0, "cardNumber": 0, "quantity": 3, "total": 12345, "createdAt": 1700000000123}
    text = _dumps(body)
    ssn = m.plant("SSN", str(rng.randrange(100_000_000, 665_999_999)))
    mobile = m.plant("PHONE", "49171" + digits(rng, 7))
    number = m.plant("CREDIT_CARD", values.card(rng).replace(" ", "").replace("-", ""))
    text = text.replace('"ssn": 0', f'"ssn": {ssn}').replace('"mobile": 0', f'"mobile": {mobile}')
    return m.finish(
        "json numbers", "application/json", text.replace('"cardNumber": 0', f'"cardNumber": {number}'), _same
    )


def _lines(m: _Maker) -> Document:
    rows = [_dumps(m.person() | m.noise(1)) for _ in range(3)]
    return m.finish("json lines", "application/x-ndjson", "\n".join(rows) + "\n", _json)


SHAPES = (
    _customer, _customer, _list, _payment, _payment, _login, _login, _note, _note, _nested, _labelled, _xml, _form,
    _multipart, _sql, _graphql, _log, _log, _numbers, _lines,
)  # fmt: skip


def documents(seed: int, count: int) -> Iterator[Document]:
    """Return documents with values in them, of every shape and country in turn."""
    for i in range(count):
        rng = random.Random(seed * 1_000_003 + i)
        place = LOCALES[(i // len(SHAPES) + i) % len(LOCALES)]
        yield SHAPES[i % len(SHAPES)](_Maker(rng, place))


def clean(seed: int, count: int) -> Iterator[Document]:
    """Return documents without values: hard negatives in JSON, XML, forms and lines of logs."""
    for i in range(count):
        rng = random.Random(seed * 1_000_003 + i + 500_009)
        fields = dict(values.negative(rng) for _ in range(14))
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
        if i % 4 == 0:
            data, kind = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in texts.items()), "application/xml"
            data = f"<?xml version='1.0'?><order>{data}</order>"
        elif i % 4 == 1:
            data, kind = "&".join(f"{k}={quote_plus(v)}" for k, v in texts.items()), "application/x-www-form-urlencoded"
        elif i % 4 == 2:
            data, kind = "\n".join(f"level=info {k}={v}" for k, v in texts.items()), "text/plain"
        else:
            data, kind = (
                json.dumps({"items": [fields, dict(values.negative(rng) for _ in range(14))]}),
                "application/json",
            )
        yield Document("clean", kind, data.encode(), ())
