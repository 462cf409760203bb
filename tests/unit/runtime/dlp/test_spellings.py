"""One value in the spellings that traffic has: each is found, none is left, and a second redaction changes nothing."""

from __future__ import annotations

import base64

import pytest

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import Redactor

_FORM, _JSON, _XML = "application/x-www-form-urlencoded", "application/json", "text/xml"
_MAIL, _WORD, _CARD, _SSN = "ada@example.org", "hunter2xy", "4111111111111111", "123-45-6789"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


MAILS = [
    ("email=ada%2540example.org", _FORM),
    ("x ada&commat;example&period;org", ""),
    ("hex " + _MAIL.encode().hex(), ""),
    ("hex " + _MAIL.encode().hex().upper(), ""),
    (f"/u/{_b64(_MAIL)}/x", ""),
    (f"/u/{_b64(_MAIL).rstrip('=')}?a=1", ""),
    ("prefs=" + _b64('{"email":"ada@example.org"}'), ""),
    ("eyJhIjoxfQ." + _b64('{"email":"ada@example.org"}').rstrip("=") + ".x", ""),
    ("u=%7B%22email%22%3A%22ada%40example.org%22%7D", ""),
    ("ADA@EXAMPLE.ORG", ""),
    ("data:text/plain;base64," + _b64("hello ada@example.org"), ""),
    ("\\x61\\x64\\x61@example.org", ""),
    ("a\\u0064a\\u0040example.org", ""),
    ('{"a":"' + _b64('{"b":"' + _b64(_MAIL) + '"}') + '"}', _JSON),
    ('{"q":"mutation { login(email:\\"ada@example.org\\") }"}', _JSON),
    ('<a href="mailto:ada@example.org">x</a>', "text/html"),
    ("%61%64%61%40%65%78%61%6d%70%6c%65%2e%6f%72%67", ""),
    ("a,b\nx,ada@example.org\n", "text/csv"),
]
WORDS = [
    ("Authorization: Basic " + _b64("svc:hunter2xy"), ""),
    ("INSERT INTO users (email, password) VALUES ('a@b.co', 'hunter2xy'), ('c', 'hunter2xy')", ""),
    ('{"q":"mutation { login(password:\\"hunter2xy\\") }"}', _JSON),
    ('<p name="password" value="hunter2xy"/>', _XML),
    ("https://u:hunter2xy@h/p", ""),
    ("password: hunter2xy\nuser: x", ""),
    ("{'password': 'hunter2xy'}", ""),
    ('{"password":"hunter2xy', _JSON),
    ('{"pass\\u0077ord":"hunter2xy"}', _JSON),
    ("pass%77ord=hunter2xy", _FORM),
    ("user[password]=hunter2xy", _FORM),
    (
        '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter2xy\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
    ),
    ('<ns:Password xmlns:ns="x">hunter2xy</ns:Password>', _XML),
    ("mysql -u root --password=hunter2xy", ""),
    ("PGPASSWORD=hunter2xy psql", ""),
    ('"password"=>"hunter2xy"', ""),
    ('{"user":{"credentials":{"password":["hunter2xy"]}}}', _JSON),
    ('{"passwords":["hunter2xy"]}', _JSON),
]
NUMBERS = [
    (_CARD, "card=4111+1111+1111+1111", _FORM),
    (_CARD, '{"c":4111111111111111.0}', _JSON),
    (_CARD, "4111.1111.1111.1111", ""),
    (_CARD, "4111\u00a01111\u00a01111\u00a01111", ""),
    (_CARD, "4111 1111 1111 1111 1234", ""),
    (_CARD, "4111111111111111-2027", ""),
    (_SSN, "/ssn/123-45-6789/x", ""),
    (_SSN, "<ssn>123456789</ssn>", _XML),
    (_SSN, "SSN: 123 45 6789", ""),
    (_SSN, "123\u201145\u20116789", ""),
]
HARMLESS = [
    '{"id":"6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e","ts":1700000000000,"v":"1.2.3","lat":52.520008,"lon":13.404954}',
    '{"sha":"f9647f0131cb3a5e7e9d6cc8e0bf7d9e2d507c6d2a7c2e3d9d8f5f7e8c2b1a6f","order":"2024-000-123456"}',
    '{"next_page_token":"CAUQAA","token_type":"Bearer","expires_in":3600,"max_tokens":4096,"scope":"read write"}',
    '{"monkey":"banana1","keyword":"lamp","public_key":"abcd1234","author":"x","secretary":"y","compass":"north"}',
    "GET /v1/orders/12345678?page=2&sort=-created_at HTTP/1.1",
    "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
    '{"filename":"logo@2x.png","pkg":"left-pad@1.3.0","host":"db-1.internal","time":"18:45:59.123"}',
    "std::vector<int> a; 12:34:56 v1.2.3.4 127.0.0.1 0.0.0.0",
    '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","etag":"W/\\"5e-D9lJSsURAST1rupCN61zhi6D3SQ\\""}',
    '{"image":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}',
    '{"products":[{"name":"Brass Lamp Tall"}],"total":1234567890,"sku":"4012-8888-8888"}',
    "<order><name>Brass Lamp</name><status>on the way</status><eta>2024-11-15</eta></order>",
]


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [(_MAIL, t, k) for t, k in MAILS] + [(_WORD, t, k) for t, k in WORDS] + NUMBERS,
)
def test_each_spelling_is_found(standard: Redactor, value: str, text: str, kind: str) -> None:
    out, findings = standard.redact_text(text.encode(), kind)
    assert findings
    assert find_leaks(out, [value]) == []
    assert standard.redact_text(out, kind)[0] == out


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_something_stays(standard: Redactor, text: str) -> None:
    assert standard.redact_text(text.encode())[0] == text.encode()
