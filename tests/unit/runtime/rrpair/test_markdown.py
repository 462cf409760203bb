"""Pairs as Markdown: how a file looks, that it comes back, and that edits by hand take effect."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_runtime.rrpair import RRPair, jsonform, markdown, sections
from speedscale_schemas.errors import ConfigError

TEXT = """\
### REQUEST ###
```
POST http://shop:8080/orders?dry=1 HTTP/1.1
Accept: text/html\\, */*, b\\\\c
Content-Type: application/json
Host: shop:8080
X-Empty:@
```

```
{
  "b": 1,
  "a": []
}
```

### RESPONSE ###
```
HTTP/1.1 201 Created
Content-Type: text/plain
Date: Sun\\, 01 Mar 2026 10:20:30 GMT
```

```
done

```

### SIGNATURE ###
```
http:host is shop
http:method is POST
http:queryparams is -NONE-
http:requestBodyHash is \\x9E\\x1BG\\xFF
http:url is /orders
```

### METADATA ###
```
direction: IN
uuid: 00010203-0405-0607-0809-0a0b0c0d0e0f
ts: 2026-03-01T10:20:30.12345Z
duration: 12ms
tags: captureMode=proxy, empty=, sequence=7
```

### INTERNAL - DO NOT MODIFY ###
```
json: """.replace("@", " ")  # an empty value leaves a space behind the colon


def edited(pair: RRPair, old: str, new: str) -> RRPair:
    """Return the pair after its file was edited: the first `old` replaced by `new`."""
    text = markdown.dumps(pair).decode("utf-8", "surrogateescape")
    assert old in text
    return markdown.loads(text.replace(old, new, 1).encode("utf-8", "surrogateescape"), "f.md")


def test_a_file_looks_as_the_field_writes_it(pair: RRPair) -> None:
    text = markdown.dumps(pair).decode()
    assert text.startswith(TEXT)
    assert text.endswith("}\n```\n")
    assert json.loads(text[len(TEXT) :].split("\n")[0]) == pair.to_doc()


def test_it_comes_back(pair: RRPair) -> None:
    again = markdown.loads(markdown.dumps(pair))
    assert again == pair
    assert again.rendering is None
    assert markdown.dumps(again) == markdown.dumps(pair)


def test_an_empty_body_is_two_adjacent_fences(make: Callable[..., RRPair]) -> None:
    pair = make()
    pair.request_body = b""
    pair.response_body = None
    text = markdown.dumps(pair)
    assert b"X-Empty: \n```\n\n```\n```\n\n### RESPONSE ###" in text
    again = markdown.loads(text)
    assert again.request_body == b""
    assert again.response_body is None


# Edits


def test_an_edited_status_line(pair: RRPair) -> None:
    again = edited(pair, "HTTP/1.1 201 Created", "HTTP/1.1 404 Not Found")
    assert again.http_response is not None
    assert again.http_response["statusCode"] == 404
    assert again.http_response["statusMessage"] == "404 Not Found"
    assert again.doc["status"] == "404"
    assert markdown.loads(markdown.dumps(again)) == again


def test_an_edited_status_line_of_a_mock_keeps_its_form(make: Callable[..., RRPair]) -> None:
    assert edited(make(status="201 Created"), "1.1 201 Created", "1.1 503 Busy").doc["status"] == "503 Busy"


@pytest.mark.parametrize(
    ("old", "new", "side", "name", "values"),
    [
        ("Host: shop:8080", "Host: other", "req", "Host", ["other"]),
        ("Host: shop:8080", "Host: a\\,b, c", "req", "Host", ["a,b", "c"]),
        ("X-Empty: ", "X-Empty: full", "req", "X-Empty", ["full"]),
        ("X-Empty: \n", "X-Empty: \nX-New: 1\n", "req", "X-New", ["1"]),
        ("X-Empty: \n", "", "req", "X-Empty", None),
        ("Date: Sun", "Date: Mon", "res", "Date", ["Mon, 01 Mar 2026 10:20:30 GMT"]),
        ("Date: Sun", "date: Sun", "res", "date", ["Sun, 01 Mar 2026 10:20:30 GMT"]),
    ],
)
def test_edited_headers(pair: RRPair, old: str, new: str, side: str, name: str, values: list[str] | None) -> None:
    again = edited(pair, old, new)
    assert again.doc["http"][side]["headers"].get(name) == values
    assert again.doc["http"]["req"]["headers"]["Content-Length"] == ["13"]
    assert markdown.loads(markdown.dumps(again)) == again


def test_an_edited_content_type_reaches_its_copy(pair: RRPair) -> None:
    again = edited(pair, "Content-Type: text/plain", "Content-Type: text/csv")
    assert again.doc["http"]["res"]["contentType"] == "text/csv"


def test_an_edited_json_body_is_compacted(pair: RRPair) -> None:
    again = edited(pair, '"b": 1,', '"b": 2.50,  "é": "x y",')
    assert again.request_body == '{"b":2.50,"é":"x y","a":[]}'.encode()
    assert again.doc["http"]["req"]["headers"]["Content-Length"] == [str(len(again.request_body or b""))]
    assert again.to_doc()["http"]["req"]["body"] == '{"b":2.50,"é":"x y","a":[]}'


def test_an_edited_text_body_is_taken_as_it_stands(pair: RRPair) -> None:
    assert edited(pair, "done\n", "not  { done").response_body == b"not  { done"


def test_json_that_an_edit_broke_is_taken_as_it_stands(pair: RRPair) -> None:
    assert edited(pair, '"b": 1,', '"b": 1').request_body == b'{\n  "b": 1\n  "a": []\n}'


def test_a_body_can_be_removed_and_added(pair: RRPair) -> None:
    gone = edited(pair, '{\n  "b": 1,\n  "a": []\n}\n', "")
    assert gone.request_body == b""
    assert edited(gone, "```\n```\n\n### RESPONSE", "```\n[1]\n```\n\n### RESPONSE").request_body == b"[1]"


def test_the_layout_of_json_alone_is_no_edit(pair: RRPair) -> None:
    again = edited(pair, '{\n  "b": 1,\n  "a": []\n}', '{ "a": [],\n      "b": 1 }')
    assert again.request_body == b'{"b":1,"a":[]}'


def test_an_edited_request_line(pair: RRPair) -> None:
    line = "POST http://shop:8080/orders?dry=1 HTTP/1.1"
    again = edited(pair, line, "PUT https://new.example:9443/v2/orders?x=1&x=&y=%20 HTTP/2.0")
    req = again.doc["http"]["req"]
    assert (req["method"], again.doc["command"]) == ("PUT", "PUT")
    assert (req["url"], req["uri"]) == ("/v2/orders", "/v2/orders?x=1&x=&y=%20")
    assert again.doc["location"] == "/v2/orders"
    assert req["queryParams"] == {"x": ["1", ""], "y": [" "]}
    assert again.doc["network_address"] == "new.example:9443"
    assert req["host"] == "new.example:9443"
    assert again.doc["l7protocol"] == "https"
    assert req["version"] == "2.0"
    assert markdown.loads(markdown.dumps(again)) == again


def test_an_edited_query_where_there_was_none(pair: RRPair) -> None:
    bare = edited(pair, "/orders?dry=1", "/orders")
    assert edited(bare, "/orders ", "/orders?a=b&a=c ").doc["http"]["req"]["queryParams"] == {"a": ["b", "c"]}


def test_an_edited_query_that_becomes_empty(pair: RRPair) -> None:
    assert "queryParams" not in edited(pair, "/orders?dry=1", "/orders").doc["http"]["req"]


def test_edited_metadata(pair: RRPair) -> None:
    again = edited(pair, "sequence=7", "sequence=8, new=a=b, c")
    assert again.tags == {
        "captureMode": "proxy",
        "proxyLocation": "in",
        "sequence": "8",
        "empty": "",
        "new": "a=b, c",
    }
    assert edited(pair, "captureMode=proxy, ", "").tags.keys() == {"proxyLocation", "sequence", "empty"}
    assert edited(pair, "direction: IN", "direction: OUT").direction == "OUT"
    assert edited(pair, "duration: 12ms", "duration: 1.5s").doc["duration"] == 1500
    assert edited(pair, "ts: 2026", "ts: 2027").doc["ts"] == "2027-03-01T10:20:30.12345Z"
    changed = edited(pair, "uuid: 0001", "uuid: ff01")
    assert base64.b64decode(changed.doc["uuid"])[:2] == b"\xff\x01"


def test_edited_signature(pair: RRPair) -> None:
    again = edited(pair, "http:method is POST\nhttp:queryparams is -NONE-", "http:method is PUT\nhttp:qp:a is 1")
    assert base64.b64decode(again.doc["signature"]["http:method"]) == b"PUT"
    assert base64.b64decode(again.doc["signature"]["http:qp:a"]) == b"1"
    assert "http:queryparams" not in again.doc["signature"]
    assert again.doc["mutableSignature"] == {"http:method": "PUT"}
    assert base64.b64decode(again.doc["signature"]["http:requestBodyHash"]) == b"\x9e\x1bG\xff"
    binary = edited(pair, "\\x9E\\x1BG", "\\xAAz")
    assert base64.b64decode(binary.doc["signature"]["http:requestBodyHash"]) == b"\xaaz\xff"
    emptied = edited(pair, "http:url is /orders", "http:url is -NONE-")
    assert emptied.doc["signature"]["http:url"] == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("duration: 12ms", "duration: soon", "f.md:38: section METADATA: duration 'soon': expected milliseconds"),
        ("uuid: 0001", "uuid: zz01", "f.md:38: section METADATA: uuid 'zz010203"),
        (
            "HTTP/1.1 201 Created",
            "HTTP/1.1 Created",
            "f.md:17: section RESPONSE: status line 'Created': expected a code",
        ),
        ("### METADATA ###\n```\n", "### METADATA ###\n", "f.md:38: expected a fence"),
        ("### INTERNAL", "### EXTERNAL", "f.md:51: expected the section ### INTERNAL"),
        ("json: {", "json: {,", "f.md:49: expected JSON behind `json:`"),
        ("json: {", "jsn: {", "f.md:47: expected a line `json: {…}`"),
    ],
)
def test_broken_files_are_refused_with_line_and_expectation(pair: RRPair, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edited(pair, old, new)
    assert str(caught.value).startswith(message)


def test_a_block_that_is_never_closed_is_told(pair: RRPair) -> None:
    text = markdown.dumps(pair)
    start = text.index(b"### INTERNAL")
    torn = text[: text.index(b"POST http")] + text[start:]
    with pytest.raises(ConfigError, match=r"f.md:2: this block is never closed by ```"):
        markdown.loads(torn, "f.md")


# Content that looks like the file's own structure

HOSTILE = [
    b"```",
    b"```\n```\n\n### RESPONSE ###\n```\nHTTP/1.1 500 Fake\n```\n",
    b"a\n```\n\n### SIGNATURE ###\n```\nx is y\n```\n\n### METADATA ###\n```\nduration: 5ms\n```\n",
    b"a\n```\n\n### INTERNAL - DO NOT MODIFY ###\n```\njson: {}\n```\n",
    b"`````\n````",
    b"line\r\nline\rline\n",
    b"\x00\x01\xff\xfe",
    b"\xed\xa0\x80",
    b"\n",
    b"\n\n",
    b" ",
    b'{"a": 1}\n',
    b'{"a": 1.10, "b": "\\u00e9\\ud800", "a": 12345678901234567890123}',
    b'["\\u003c", {}, [], { }]',
    b'{"broken": ',
    b"<html><body>\n</body></html>",
    b"### REQUEST ###",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_bodies_survive_whatever_they_contain(pair: RRPair, body: bytes) -> None:
    pair.request_body = pair.response_body = body
    data = markdown.dumps(pair)
    again = markdown.loads(data)
    assert again.request_body == again.response_body == body
    assert again == pair
    assert markdown.dumps(again) == data


@pytest.mark.parametrize("body", HOSTILE)
def test_an_edit_elsewhere_leaves_such_bodies_alone(pair: RRPair, body: bytes) -> None:
    pair.request_body = pair.response_body = body
    again = edited(pair, "sequence=7", "sequence=9")
    assert again.tags["sequence"] == "9"
    assert again.request_body == again.response_body == body
    again = edited(pair, "201 Created", "202 Accepted")
    assert again.doc["status"] == "202"
    assert again.request_body == again.response_body == body


def test_a_fence_is_longer_than_any_run_inside(pair: RRPair) -> None:
    pair.response_body = b"a ````` b"
    assert b"\n``````\na ````` b\n``````\n" in markdown.dumps(pair)


def test_the_documents_line_holds_no_fence(pair: RRPair) -> None:
    pair.response_body = b"```"
    line = markdown.dumps(pair).split(b"json: ")[1]
    assert line.count(b"```") == 1
    assert json.loads(line.split(b"\n")[0])["http"]["res"]["body"] == "```"


def test_a_file_that_went_through_windows(pair: RRPair) -> None:
    data = markdown.dumps(pair).replace(b"\n", b"\r\n")
    again = markdown.loads(b"\xef\xbb\xbf" + data)
    assert again == pair
    changed = markdown.loads(data.replace(b"201 Created", b"200 OK"))
    assert changed.doc["status"] == "200"
    assert changed.response_body == b"done\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"A": ["x\ny", "z\r"]},
        {"A": "plain"},
        {"A": None, "B": 5, "C": [1, None]},
        {":authority": ["x"]},
        {"": ["x"]},
        {"a b": ["x"]},
        {"A": []},
        ["no", "map"],
        {"A": [", ", "\\", "\\,", ",", ", ,"]},
    ],
)
def test_odd_headers_survive_and_allow_edits_beside_them(make: Callable[..., RRPair], headers: Any) -> None:
    pair = make()
    pair.doc["http"]["req"]["headers"] = headers
    assert markdown.loads(markdown.dumps(pair)) == pair
    again = edited(pair, "201 Created", "204 No Content")
    assert again.doc["http"]["req"]["headers"] == headers


@pytest.mark.parametrize("values", [["a"], ["a, b"], ["a", "b"], [""], ["", ""], ["\\"], ["x\ny"], ["a,b,c", "\\,"]])
def test_values_of_headers_are_read_as_they_were_written(values: list[str]) -> None:
    from speedscale_runtime.rrpair import heads

    assert heads.split_values(heads.join_values(values)) == values


def test_trailers_follow_their_announcement(make: Callable[..., RRPair]) -> None:
    pair = make()
    pair.doc["http"]["res"]["headers"] = {"Trailer": ["Grpc-Status"], "Vary": ["x"]}
    pair.doc["http"]["res"]["trailers"] = {"Grpc-Status": ["0"]}
    text = markdown.dumps(pair)
    assert b"Vary: x\nTrailer: Grpc-Status\nGrpc-Status: 0\n```" in text
    again = edited(pair, "Grpc-Status: 0", "Grpc-Status: 13")
    assert again.doc["http"]["res"]["trailers"] == {"Grpc-Status": ["13"]}
    assert again.doc["http"]["res"]["headers"] == {"Trailer": ["Grpc-Status"], "Vary": ["x"]}


# Other generations and tools


def compacted(pair: RRPair) -> bytes:
    """Return the file as the compact generation writes it: text sections are the only source."""
    text = markdown.dumps(pair)
    at = text.rindex(b"json: ")
    doc = pair.to_doc()
    del doc["network_address"]
    for side in ("req", "res"):
        part = doc["http"][side] = dict(doc["http"][side])
        for key in ("headers", "body", "bodyBase64", "queryParams"):
            part.pop(key, None)
    return text[:at] + b"json: " + json.dumps(doc, separators=(",", ":")).encode() + b"\n```\n"


def test_the_compact_generation_is_filled_from_the_text(make: Callable[..., RRPair]) -> None:
    again = markdown.loads(compacted(make()))
    req = again.doc["http"]["req"]
    assert req["headers"]["Accept"] == ["text/html, */*", "b\\c"]
    assert req["headers"]["X-Empty"] == [""]
    assert req["queryParams"] == {"dry": ["1"]}
    assert again.doc["network_address"] == "shop:8080"
    assert again.request_body == b'{"b":1,"a":[]}'
    assert again.response_body == b"done\n"
    assert again.doc["someoneElses"] == make().doc["someoneElses"]
    assert again.rendering is None
    text = markdown.dumps(again)
    assert text.startswith(TEXT.encode())
    assert markdown.loads(text) == again


MOCK = b"""\
### RESPONSE (MOCK) ###
```
Content-Type: application/json
```

```
{"ok":   true}
```

### SIGNATURE ###
```
http:method is GET
```

### REQUEST ###
```
GET http://api.example:80/x HTTP/1.1
Host: api.example
```

```
```

### METADATA ###
```
direction: OUT
duration: 0ms
tags: match=HIT
```

### INTERNAL - DO NOT MODIFY ###
```
json: {"direction":"OUT","command":"GET","location":"/x","status":"200 OK","tags":{"match":"HIT"},\
"signature":{"http:method":"R0VU"},"http":{"req":{"url":"/x","method":"GET","host":"api.example"},\
"res":{"statusCode":200,"statusMessage":"200 OK"}}}
```
"""


def test_a_mocks_output_has_its_own_order() -> None:
    pair = markdown.loads(MOCK)
    assert pair.response_body == b'{"ok":true}'
    assert pair.http_response is not None
    assert pair.http_response["statusCode"] == 200
    assert pair.http_response["headers"] == {"Content-Type": ["application/json"]}
    start = MOCK.rindex(b"### INTERNAL")
    for again in (pair, jsonform.loads(jsonform.dumps(pair))):
        assert markdown.dumps(again)[:start] == MOCK[:start]
    assert markdown.loads(markdown.dumps(pair)) == pair


def test_a_mocks_answer_can_be_edited() -> None:
    pair = markdown.loads(MOCK.replace(b"true", b"false").replace(b"json\n", b"json\nX: 1\n", 1))
    assert pair.response_body == b'{"ok":false}'
    assert pair.doc["http"]["res"]["headers"]["X"] == ["1"]


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("application/json", b'{"a":"<b>","n":1.0}', b'{\n    "a": "\\u003cb\\u003e",\n    "n": 1.0\n}'),
        ("text/html", b"<p>a</p><p>b</p>", b"<p>\n  a\n</p>\n<p>\n  b\n</p>"),
        ("text/plain", b"a\r\nb\r\n", b"a\nb"),
        ("image/png", b"\x89PNG\xff\x00", b"\\x89PNG\\xFF\\x00"),
        ("image/png", b"\x89PNG\xff\x00", b"iVBOR/8A"),
        ("image/png", b"\x89PNG\xff\x00", b"\xef\xbf\xbdPNG\xef\xbf\xbd\x00"),
        ("image/png", b"\x89PNG\xff\x00", b""),
        ("application/x-www-form-urlencoded", b"a=1&b=x+y", b'{\n  "a": "1",\n  "b": "x y"\n}'),
    ],
)
def test_other_tools_renderings_are_no_edits_and_survive_to_the_byte(
    make: Callable[..., RRPair], kind: str, body: bytes, shown: bytes
) -> None:
    pair = make()
    pair.doc["http"]["res"]["headers"] = {"Content-Type": [kind]}
    pair.response_body = body
    text = markdown.dumps(pair)
    ours, _, rest = text.partition(b"### SIGNATURE")
    head = ours[: ours.rindex(b"```\n\n```\n") + 9]
    theirs = head + shown + (b"\n" if shown else b"") + b"```\n\n### SIGNATURE" + rest
    again = markdown.loads(theirs)
    assert again.response_body == body
    assert again == pair
    start = theirs.rindex(b"### INTERNAL")
    through_json = jsonform.loads(jsonform.dumps(again))
    assert markdown.dumps(through_json)[:start] == theirs[:start]
    assert markdown.loads(markdown.dumps(through_json)) == pair


def foreign(pair: RRPair) -> RRPair:
    text = markdown.dumps(pair).replace(b'{\n  "b": 1,\n  "a": []\n}', b'{"b": 1, "a": []}')
    again = markdown.loads(text)
    assert again.rendering is not None
    return again


def test_a_rendering_never_outlives_what_it_shows(pair: RRPair) -> None:
    again = foreign(pair)
    again.request_body = b'{"b":"REDACTED"}'
    for data in (markdown.dumps(again), jsonform.dumps(again), jsonform.dumps_line(again)):
        assert b'"a": []' not in data
        assert b'"b": 1' not in data
    assert markdown.loads(markdown.dumps(again)) == again


def test_a_rendering_is_dropped_when_a_header_changes(pair: RRPair) -> None:
    again = foreign(pair)
    again.doc["http"]["req"]["headers"]["Host"] = ["REDACTED"]
    assert b"Host: REDACTED" in markdown.dumps(again)
    assert b"x-speedscale-markdown" not in jsonform.dumps(again)


def test_a_rendering_is_outside_of_documents_and_frames(pair: RRPair) -> None:
    again = foreign(pair)
    assert again.to_doc() == pair.to_doc()
    assert b"x-speedscale" not in again.to_frame().head


def test_a_forged_rendering_is_not_written(pair: RRPair) -> None:
    doc = pair.to_doc() | {
        "x-speedscale-markdown": {"sections": {"METADATA": "### METADATA ###\n```\ntags: a=b\n```\n"}}
    }
    again = jsonform.loads(json.dumps(doc).encode())
    assert again == pair
    assert b"a=b" not in markdown.dumps(again)
    for broken in (5, {"sections": 5}, {"sections": {"REQUEST": 5}}, {"order": [1, "X"]}, {"order": "x"}):
        doc["x-speedscale-markdown"] = broken
        again = jsonform.loads(json.dumps(doc).encode())
        assert markdown.loads(markdown.dumps(again)).request_body == pair.request_body


OPAQUE = [
    ("### METADATA", "### NOTES ###\n```\nmine\n```\n\n### METADATA"),
    ("duration: 12ms\n", "duration: 12ms\nregion: mine\n"),
    ("duration: 12ms\n", "duration: 12ms\nmine without a colon\n"),
    ("duration: 12ms\n", "duration: 12ms\nduration: 12ms\n"),
    ("Host: shop:8080\n", "Host: shop:8080\nmine\n"),
    ("http:host is shop\n", "mine\nhttp:host is shop\n"),
    ("tags: captureMode", "tags: mine, captureMode"),
    ("### SIGNATURE ###\n```\n", "### SIGNATURE ###\n```mine\n"),
    ("done\n\n```\n", "done\n\n```\n\nmine\n"),
    ('"b": 1,', '"b": 0, "b": 1,'),
]


@pytest.mark.parametrize(("old", "new"), OPAQUE[:-2])
def test_text_that_the_pair_does_not_say_survives_in_sight(pair: RRPair, old: str, new: str) -> None:
    data = markdown.dumps(pair).replace(old.encode(), new.encode(), 1)
    again = markdown.loads(data)
    start = data.rindex(b"### INTERNAL")
    through_json = jsonform.loads(jsonform.dumps(again))
    assert markdown.dumps(through_json)[:start] == data[:start]
    assert through_json == again
    (shown,) = again.doc["x-speedscale-sections"]["sections"].values()
    assert new.strip().split("\n")[-1].split(",")[0] in shown or "mine" in shown
    assert again.to_doc() == pair.to_doc() | {"x-speedscale-sections": again.doc["x-speedscale-sections"]}


@pytest.mark.parametrize(("old", "new"), OPAQUE[:-2])
def test_text_that_the_pair_does_not_say_is_gone_when_the_pair_changes(pair: RRPair, old: str, new: str) -> None:
    again = markdown.loads(markdown.dumps(pair).replace(old.encode(), new.encode(), 1))
    again.doc["dlpModified"] = True
    for data in (markdown.dumps(again), jsonform.dumps(again), jsonform.dumps_line(again)):
        assert b"mine" not in data
        assert b"x-speedscale" not in data


def test_text_behind_a_block_is_refused(pair: RRPair) -> None:
    with pytest.raises(ConfigError, match=r"f.md:31: expected a closed block in front of ### SIGNATURE ###"):
        edited(pair, *OPAQUE[-2])


def test_a_key_that_stands_twice_is_an_edit(pair: RRPair) -> None:
    assert edited(pair, *OPAQUE[-1]).request_body == b'{"b":0,"b":1,"a":[]}'


def test_someone_elses_key_of_that_name_is_kept(make: Callable[..., RRPair]) -> None:
    pair = make(**{"x-speedscale-sections": "theirs", "x-speedscale-markdown": "theirs"})
    assert jsonform.loads(jsonform.dumps(pair)) == pair
    assert markdown.loads(markdown.dumps(pair)) == pair


def test_a_protocol_without_readable_form_shows_json(make: Callable[..., RRPair]) -> None:
    pair = make(postgres={"request": {"query": {"query": "SELECT 1"}}, "response": {"n": 2**70}}, l7protocol="postgres")
    del pair.doc["http"]
    pair.request_body = pair.response_body = None
    assert not markdown.is_readable(pair)
    text = markdown.dumps(pair)
    assert b'### REQUEST ###\n```\n{\n  "query": {' in text
    assert markdown.loads(text) == pair
    assert edited(pair, "SELECT 1", "SELECT 2").doc["postgres"]["request"] == {"query": {"query": "SELECT 2"}}
    with pytest.raises(ConfigError, match="section REQUEST: expected JSON"):
        edited(pair, '"SELECT 1"', "SELECT 1")


def test_another_tools_text_for_a_protocol_survives(make: Callable[..., RRPair]) -> None:
    pair = make(grpc={"request": {"fieldsMap": {}}, "response": {"fieldsMap": {}}}, l7protocol="grpc")
    del pair.doc["http"]
    pair.request_body = pair.response_body = None
    data = markdown.dumps(pair).replace(b'{\n  "fieldsMap": {}\n}', b"/pkg.Service/Method\n```\n\n```\nname: mine", 1)
    again = markdown.loads(data)
    assert again.doc["grpc"] == pair.doc["grpc"]
    start = data.rindex(b"### INTERNAL")
    assert markdown.dumps(jsonform.loads(jsonform.dumps(again)))[:start] == data[:start]


def test_a_response_that_was_never_seen(make: Callable[..., RRPair]) -> None:
    pair = make()
    del pair.doc["http"]["res"]
    pair.response_body = None
    assert markdown.loads(markdown.dumps(pair)) == pair


def test_a_document_spread_over_lines_by_hand(pair: RRPair) -> None:
    text = markdown.dumps(pair)
    at = text.rindex(b"json: ")
    spread = text[:at] + b"json: " + json.dumps(pair.to_doc(), indent=2).encode() + b"\n```\n"
    assert markdown.loads(spread) == pair


def test_a_body_of_64_mib(pair: RRPair) -> None:
    body = (b"0123456789abcde\n" * (64 * 1024 * 1024 // 16 - 1)) + b"\x00\xff ```\n### X ###"
    pair.response_body = body
    again = markdown.loads(markdown.dumps(pair))
    assert again.response_body == body


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("known", "shown", "meant"),
    [
        (None, b'{\n  "a": "1 2",\n  "b": ["3", "4"]\n}', b"a=1+2&b=3&b=4"),  # text alone: other tools show forms so
        (b"a=1", b'{\n  "a": "2"\n}', b"a=2"),
        (None, b'{\n  "a": 1\n}', b'{"a":1}'),  # no form has numbers
        (b'{"a":"1"}', b'{\n  "a": "2"\n}', b'{"a":"2"}'),  # a client that calls JSON a form
    ],
)
def test_a_form_shown_as_json_is_a_form_again_but_recorded_json_stays(
    pair: RRPair, known: bytes | None, shown: bytes, meant: bytes
) -> None:
    pair.doc["http"]["req"]["headers"] = {"Content-Type": [FORM]}
    pair.request_body = b"BODY"
    text = markdown.dumps(pair)
    pair.request_body = known
    text = text[: text.index(b"### INTERNAL")].replace(b"BODY", shown, 1) + sections.internal(jsonform.document(pair))
    again = markdown.loads(text)
    assert again.request_body == meant
    assert markdown.loads(markdown.dumps(again)) == again
