"""What each format says that a round trip does not show: other tools' spellings, and what cannot be taken over."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange import call as calls
from speedscale_runtime.interchange.call import Call, Origin, pair_of
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError


def loaded(form: str, document: Any, **more: Any) -> tuple[list[Call], tuple[str, ...]]:
    data = (
        document
        if isinstance(document, bytes)
        else document.encode()
        if isinstance(document, str)
        else json.dumps(document).encode()
    )
    found = interchange.load(form, data, **more)
    made = [calls.of(pair) for pair in found.pairs]
    assert None not in made
    return [c for c in made if c is not None], found.problems


def dumped(form: str, *given: Call) -> tuple[Any, tuple[str, ...]]:
    out = interchange.dump(form, [pair_of(c, Origin("test"), i) for i, c in enumerate(given)], name="n")
    (data,) = out.files.values()
    return (json.loads(data) if form in ("har", "wiremock", "postman") else data.decode()), out.problems


def own(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(n, v) for n, v in headers if n != "Host"]


class TestCurlIn:
    @pytest.mark.parametrize(
        ("command", "method", "url", "headers", "body"),
        [
            ("curl example.com", "GET", "http://example.com/", [], b""),
            ("curl -XDELETE https://a.example/x", "DELETE", "https://a.example/x", [], b""),
            ("curl --request=PUT http://a/x", "PUT", "http://a/x", [], b""),
            ("curl -I http://a/x", "HEAD", "http://a/x", [], b""),
            (
                "curl http://a/x -d a=1 -d b=2",
                "POST",
                "http://a/x",
                [("Content-Type", "application/x-www-form-urlencoded")],
                b"a=1&b=2",
            ),
            (
                "curl http://a/x --json '{\"a\": 1}'",
                "POST",
                "http://a/x",
                [("Content-Type", "application/json"), ("Accept", "application/json")],
                b'{"a": 1}',
            ),
            ("curl -G http://a/x -d q=1 --data-urlencode 'r=a b&c'", "GET", "http://a/x?q=1&r=a+b%26c", [], b""),
            ("curl http://a/ -u me:secret", "GET", "http://a/", [("Authorization", "Basic bWU6c2VjcmV0")], b""),
            (
                "curl http://a/ -b 'a=1; b=2' -A ua -e ref",
                "GET",
                "http://a/",
                [("Cookie", "a=1; b=2"), ("User-Agent", "ua"), ("Referer", "ref")],
                b"",
            ),
            ("curl http://a/ -H 'X-Empty;' -H 'Accept:'", "GET", "http://a/", [("X-Empty", "")], b""),
            (
                "curl 'http://a/x' \\\n  -H $'X-Name: it\\'s \\u00e9' \\\n  --data-raw $'caf\\xc3\\xa9\\n'",
                "POST",
                "http://a/x",
                [("X-Name", "it's é"), ("Content-Type", "application/x-www-form-urlencoded")],
                "café\n".encode(),
            ),
            ('curl "http://a/x?q=\\"1\\"" -o out.json -sSL --max-time 5', "GET", "http://a/x?q=%221%22", [], b""),
            ("curl http://a/ --compressed", "GET", "http://a/", [("Accept-Encoding", "deflate, gzip, br, zstd")], b""),
        ],
    )
    def test_commands(self, command: str, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> None:
        (call,), problems = loaded("curl", command)
        assert (call.method, call.url, own(call.headers), call.body) == (method, url, headers, body)
        assert problems == ()

    def test_a_script_with_several_commands(self) -> None:
        script = "#!/bin/sh\n# first\ncurl http://a/1; curl http://a/2 && echo done\n\n  /usr/bin/curl http://a/3 http://a/4\n"
        found, _ = loaded("curl", script)
        assert [c.url for c in found] == [f"http://a/{i}" for i in (1, 2, 3, 4)]

    @pytest.mark.parametrize(
        ("command", "why"),
        [
            ("curl http://a -F file=@x.png", "multipart"),
            ("curl http://a -d @body.json", "body.json, which is not read"),
            ("curl http://a -b jar.txt", "cookies from the file"),
            ("curl http://a -T up.bin", "option -T"),
            ("cat x | curl http://a --data-binary @-", "pipe"),
        ],
    )
    def test_what_is_not_taken_over_is_said(self, command: str, why: str) -> None:
        assert why in interchange.load("curl", command.encode()).problems[0]

    @pytest.mark.parametrize("text", ["wget http://a", "curl 'http://a", ""])
    def test_what_is_no_command_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError):
            interchange.load("curl", text.encode())

    def test_a_request_has_no_answer(self) -> None:
        (pair,) = interchange.load("curl", b"curl http://a/x").pairs
        assert pair.http_response is None
        assert pair.response_body is None
        assert pair.tags == {"source": "curl"}


class TestCurlOut:
    def test_what_curl_adds_by_itself_is_taken_off(self) -> None:
        text, _ = dumped("curl", Call("GET", "http://a/x", (("Accept", "text/plain"), ("Content-Length", "0"))))
        assert "--header 'Accept: text/plain'" in text
        assert "--header 'User-Agent:'" in text
        assert "Content-Length" not in text

    def test_hostile_values_stay_inside_their_quotes(self) -> None:
        evil = "'; rm -rf / #\n$(id)`id`"
        text, _ = dumped("curl", Call("POST", "http://a/x", (("X", evil), ("Content-Type", evil)), evil.encode()))
        (call,), problems = loaded("curl", text)
        assert dict(own(call.headers))["X"] == evil
        assert call.body == evil.encode()
        assert problems == ()

    def test_binary_bodies_go_through_a_pipe(self) -> None:
        text, _ = dumped("curl", Call("POST", "http://a/x", (), b"\x00\xff@"))
        assert "base64 -d <<'BODY' | curl" in text
        assert base64.b64encode(b"\x00\xff@").decode() in text


class TestHar:
    def test_form_parameters_are_a_body_again(self) -> None:
        post = {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a b", "value": "1&2"}]}
        entry = {"request": {"method": "POST", "url": "http://a/x#frag", "postData": post}, "response": {"status": 200}}
        (call,), _ = loaded("har", {"log": {"entries": [entry]}})
        assert (call.body, call.url) == (b"a+b=1%262", "http://a/x")

    def test_http2_pseudo_headers_are_no_headers(self) -> None:
        headers = [{"name": ":authority", "value": "a"}, {"name": "x", "value": "1"}]
        entry = {
            "request": {"method": "GET", "url": "https://a/x", "httpVersion": "h2", "headers": headers},
            "response": {"status": 200},
        }
        (call,), _ = loaded("har", {"log": {"entries": [entry]}})
        assert own(call.headers) == [("x", "1")]
        assert call.version == "2.0"

    def test_blocked_requests_and_missing_bodies_are_said(self) -> None:
        entries = [
            {"request": {"method": "GET", "url": "http://a/1"}, "response": {"status": 0}},
            {"request": {"method": "GET", "url": "http://a/2"}, "response": {"status": 200, "content": {"size": 9}}},
            {"request": {"method": "GET", "url": "data:image/png;base64,AA"}, "response": {"status": 200}},
            {"request": {}},
        ]
        found = interchange.load("har", json.dumps({"log": {"entries": entries}}).encode())
        assert len(found.pairs) == 2
        assert [p.split(":")[0] for p in found.problems] == [f"log.entries[{i}]" for i in range(4)]

    def test_a_decoded_answer_keeps_its_coding_header_and_says_so(self) -> None:
        response = {
            "status": 200,
            "headers": [{"name": "Content-Encoding", "value": "gzip"}],
            "content": {"text": "plain"},
        }
        (pair,) = interchange.load(
            "har", json.dumps({"log": {"entries": [{"request": {"url": "http://a/"}, "response": response}]}}).encode()
        ).pairs
        assert pair.tags["decoded"] == "true"
        assert pair.response_body == b"plain"


class TestWireMock:
    def test_different_answers_become_a_scenario_that_begins_again(self) -> None:
        given = [Call("GET", "http://a/x", status=200, response_body=b"%d" % i) for i in range(3)]
        document, _ = dumped("wiremock", *given)
        states = [(m["requiredScenarioState"], m["newScenarioState"]) for m in document["mappings"]]
        assert states == [("Started", "2"), ("2", "3"), ("3", "Started")]
        assert len({m["scenarioName"] for m in document["mappings"]}) == 1

    def test_equal_answers_are_one_mapping(self) -> None:
        document, _ = dumped("wiremock", *[Call("GET", "http://a/x", status=200)] * 3)
        assert len(document["mappings"]) == 1
        assert "scenarioName" not in document["mappings"][0]

    def test_what_asks_for_more_is_tried_first(self) -> None:
        plain, query = Call("POST", "http://a/x", status=200), Call("POST", "http://a/x?b=1&b=2&c=%20", status=200)
        body = Call("POST", "http://a/x", (("Content-Type", "application/json"),), b'{"a":1}', status=200)
        document, _ = dumped("wiremock", plain, query, body)
        assert [m["priority"] for m in document["mappings"]] == [5, 4, 3]
        request = document["mappings"][1]["request"]
        assert request["queryParameters"]["b"] == {"hasExactly": [{"equalTo": "1"}, {"equalTo": "2"}]}
        assert request["queryParameters"]["c"] == {"equalTo": " "}
        assert document["mappings"][2]["request"]["bodyPatterns"][0]["equalToJson"] == '{"a":1}'

    def test_a_decoded_body_is_not_served_as_coded(self) -> None:
        call = Call(
            "GET",
            "http://a/",
            status=200,
            response_headers=(("Content-Encoding", "gzip"), ("X", "1"), ("X", "2")),
            response_body=b"plain",
        )
        document, _ = dumped("wiremock", call)
        assert document["mappings"][0]["response"]["headers"] == {"X": ["1", "2"]}

    def test_other_peoples_mappings(self) -> None:
        stub = {
            "request": {
                "method": "POST",
                "urlPath": "/pay",
                "host": {"equalTo": "pay.example"},
                "scheme": "https",
                "queryParameters": {"a": {"equalTo": "x y"}, "b": {"matches": ".*"}},
                "headers": {"X": {"equalTo": "1"}, "Y": {"contains": "z"}},
                "cookies": {"sid": {"equalTo": "7"}},
                "basicAuthCredentials": {"username": "u", "password": "p"},
                "bodyPatterns": [{"equalToJson": {"a": 1}}, {"matchesJsonPath": "$.a"}],
            },
            "response": {"status": 201, "jsonBody": {"ok": True}, "headers": {"Content-Type": "application/json"}},
        }
        (call,), problems = loaded("wiremock", stub)
        assert call.url == "https://pay.example/pay?a=x+y"
        assert call.body == b'{"a":1}'
        assert (call.status, call.response_body, call.direction) == (201, b'{"ok":true}', "OUT")
        assert dict(own(call.headers)) == {"X": "1", "Cookie": "sid=7", "Authorization": "Basic dTpw"}
        assert len(problems) == 3

    @pytest.mark.parametrize(
        ("request_", "response", "why"),
        [
            ({"urlPattern": "/a.*"}, {"status": 200}, "names many URLs"),
            ({"urlPathTemplate": "/a/{id}"}, {"status": 200}, "names many URLs"),
            ({"method": "GET"}, {"status": 200}, "matches every path"),
            ({"url": "/a"}, {"fault": "EMPTY_RESPONSE"}, "response.fault"),
            ({"url": "/a"}, {"proxyBaseUrl": "http://b"}, "response.proxyBaseUrl"),
            ({"url": "/a"}, {"bodyFileName": "x.json"}, "x.json"),
        ],
    )
    def test_what_a_pair_cannot_say(self, request_: Any, response: Any, why: str) -> None:
        found = interchange.load("wiremock", json.dumps({"request": request_, "response": response}).encode())
        assert any(why in problem for problem in found.problems)

    def test_a_scenario_is_read_in_the_order_of_its_states(self) -> None:
        def stub(required: str, new: str, body: str) -> dict[str, Any]:
            return {
                "scenarioName": "s",
                "requiredScenarioState": required,
                "newScenarioState": new,
                "request": {"method": "GET", "url": "/x"},
                "response": {"body": body},
            }

        mappings = [stub("three", "Started", "c"), stub("Started", "two", "a"), stub("two", "three", "b")]
        found, _ = loaded("wiremock", {"mappings": mappings})
        assert [c.response_body for c in found] == [b"a", b"b", b"c"]

    def test_files_beside_the_mappings(self) -> None:
        stub = {"request": {"url": "/x"}, "response": {"bodyFileName": "sub/x.bin"}}
        (call,), _ = loaded("wiremock", stub, beside={"sub/x.bin": b"\x00\x01"})
        assert call.response_body == b"\x00\x01"


class TestPostman:
    def test_other_peoples_collections(self) -> None:
        document = {
            "info": {"name": "n", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
            "variable": [{"key": "base", "value": "https://{{host}}/v1"}, {"key": "host", "value": "api.example"}],
            "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "t"}]},
            "item": [
                {
                    "name": "folder",
                    "item": [
                        {
                            "name": "a",
                            "request": {
                                "method": "POST",
                                "header": [{"key": "X", "value": "1"}, {"key": "Off", "value": "1", "disabled": True}],
                                "url": {
                                    "raw": "{{base}}/users/:id?a=1&b=2",
                                    "query": [{"key": "a", "value": "1"}, {"key": "b", "value": "2", "disabled": True}],
                                    "variable": [{"key": "id", "value": "7 7"}],
                                },
                                "body": {"mode": "urlencoded", "urlencoded": [{"key": "k", "value": "v w"}]},
                            },
                        }
                    ],
                },
                {
                    "name": "b",
                    "request": {
                        "url": "http://b/",
                        "auth": {"type": "noauth"},
                        "body": {"mode": "graphql", "graphql": {"query": "{a}", "variables": '{"x": 1}'}},
                    },
                },
                {"name": "c", "request": "http://c/x"},
                {"name": "d", "request": {"url": "{{unknown}}/x"}},
                {
                    "name": "e",
                    "request": {"method": "POST", "url": "http://e/", "body": {"mode": "file", "file": {"src": "x"}}},
                },
            ],
        }
        found, problems = loaded("postman", document)
        assert [c.url for c in found] == [
            "https://api.example/v1/users/7%207?a=1",
            "http://b/",
            "http://c/x",
            "http://e/",
        ]
        assert found[0].body == b"k=v+w"
        assert own(found[0].headers) == [
            ("X", "1"),
            ("Authorization", "Bearer t"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        assert found[1].body == b'{"query":"{a}","variables":{"x":1}}'
        assert ["unknown" in problems[0], "mode file" in problems[1]] == [True, True]

    def test_examples_are_pairs(self) -> None:
        request = {"method": "GET", "url": "http://a/x"}
        example = {
            "originalRequest": {"method": "GET", "url": "http://a/x?n=1"},
            "code": 404,
            "status": "Not Found",
            "body": "no",
            "header": [{"key": "X", "value": "1"}],
        }
        found, _ = loaded(
            "postman", {"info": {}, "item": [{"request": request, "response": [example, {"code": 200, "body": "yes"}]}]}
        )
        assert [(c.url, c.status, c.response_body) for c in found] == [
            ("http://a/x?n=1", 404, b"no"),
            ("http://a/x", 200, b"yes"),
        ]

    def test_binary_bodies_are_said_to_be_left_out(self) -> None:
        document, problems = dumped("postman", Call("POST", "http://a/x", (), b"\xff\x00", 200, "OK", (), b"\xff"))
        assert len(problems) == 2
        assert "body" not in document["item"][0]["item"][0]["request"]

    def test_format_1_is_refused_with_a_way_out(self) -> None:
        with pytest.raises(ConfigError, match=r"export it from Postman as v2\.1"):
            interchange.load("postman", b'{"item": [], "requests": []}')


class TestK6:
    def test_the_script_names_its_hosts_and_checks_statuses(self) -> None:
        text, problems = dumped(
            "k6",
            Call("GET", "http://a:80/x?y=1", (("X", "1"), ("X", "2")), status=200),
            Call("POST", "https://b/z", (("Content-Type", "image/png"),), b"\x89PNG\x00", 201),
        )
        assert 'const BASE_URL = __ENV.BASE_URL || "http://a:80";' in text
        assert 'const BASE_URL_2 = __ENV.BASE_URL_2 || "https://b";' in text
        assert "(r) => r.status === 201" in text
        assert "encoding.b64decode(" in text
        assert '"X": "1, 2"' in text
        assert "joined" in problems[0]


def test_pairs_of_other_protocols_and_cut_bodies_are_said() -> None:
    cut = pair_of(Call("GET", "http://a/x", status=200), Origin("t"), 0)
    cut.tags["responsePayloadTruncated"] = "70000"
    out = interchange.dump("har", [RRPair({"l7protocol": "postgres"}), cut])
    assert out.pairs == 1
    assert out.problems[0] == "pair 1: protocol postgres is no HTTP"
    assert "cut" in out.problems[1]


def test_a_form_that_a_recorder_kept_as_json_is_a_form_again() -> None:
    pair = pair_of(
        Call(
            "POST",
            "http://a/x",
            (("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "13")),
            b'{"a":"1 2","b":["3","4"]}',
        ),
        Origin("t"),
        0,
    )
    call = calls.of(pair)
    assert call is not None
    assert call.body == b"a=1+2&b=3&b=4"


@pytest.mark.parametrize(
    ("doc", "url"),
    [
        (
            {"l7protocol": "http", "network_address": "shop:8080", "http": {"req": {"uri": "/a?b", "host": "shop"}}},
            "http://shop:8080/a?b",
        ),
        (
            {
                "l7protocol": "http",
                "network_address": "1.2.3.4:443",
                "http": {"req": {"uri": "/a", "host": "api.example"}},
            },
            "https://api.example/a",
        ),
        (
            {"l7protocol": "https", "http": {"req": {"url": "/a", "headers": {"Host": ["api.example:8443"]}}}},
            "https://api.example:8443/a",
        ),
        (
            {"l7protocol": "http", "network_address": "[::1]:80", "http": {"req": {"uri": "/a", "host": "[::1]"}}},
            "http://[::1]/a",
        ),
    ],
)
def test_the_url_of_a_recorded_pair(doc: dict[str, Any], url: str) -> None:
    call = calls.of(RRPair(doc))
    assert call is not None
    assert call.url == url


def test_unknown_formats_are_named() -> None:
    with pytest.raises(ConfigError, match="expected one of curl, har"):
        interchange.load("k6", b"")
