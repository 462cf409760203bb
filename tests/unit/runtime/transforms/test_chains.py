"""Chains over pairs: extractors, order, failures, filters, and the messages of a set that does not compile."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_runtime import filters
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.transforms import Run, compile_set
from speedscale_runtime.transforms.extractors import TABLE
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import check, schema

NOW = 1_780_000_000.0


def pair(**changes: Any) -> RRPair:
    doc: dict[str, Any] = {
        "ts": "2026-01-01T00:00:00Z",
        "session": "s-1",
        "duration": 12,
        "command": "GET",
        "location": "/a/b",
        "http": {
            "req": {
                "method": "GET", "url": "/a/b", "uri": "/a/b?x=1%202&y=2&x=3", "host": "api.example.com:8443",
                "headers": {"X-Id": ["one", "two"], "cookie": ["sid=abc; theme=dark"], "Content-Type": ["application/json"]},  # noqa: E501
                "trailers": {"X-T": ["t"]}, "body": '{"a": {"b": 1}, "c": 2.50}',
            },
            "res": {
                "statusCode": 200, "statusMessage": "200 OK",
                "headers": {"Set-Cookie": ["sid=abc; Path=/", "other=1"], "X-R": ["r"]}, "body": '{"ok":true}',
            },
        },
    }  # fmt: skip
    return RRPair.from_doc(doc | changes)


def run_of(*chains: dict[str, Any], **more: Any) -> Run:
    return Run(compile_set({"generator": list(chains), **more}, compile_filter=filters.compile_rule), clock=lambda: NOW)


def chain(
    extractor: str, *steps: tuple[str, dict[str, str]], config: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    transforms = [{"type": name, "config": values} for name, values in steps]
    return {"extractor": {"type": extractor, "config": config or {}}, "transforms": transforms, **more}


SET = ("constant", {"new": "NEW"})

EXTRACTORS: list[tuple[str, dict[str, str], str, Any]] = [
    ("http_req_header", {"name": "x-id", "index": "1"}, "two", lambda p: p.http_request["headers"]["X-Id"] == ["one", "NEW"]),  # noqa: E501
    ("http_req_header", {"header": "X-New"}, "", lambda p: p.http_request["headers"]["X-New"] == ["NEW"]),
    ("http_req_cookie", {"name": "sid"}, "abc", lambda p: p.http_request["headers"]["cookie"] == ["sid=NEW; theme=dark"]),  # noqa: E501
    ("http_queryparam", {"name": "x", "index": "1"}, "3", lambda p: p.http_request["uri"] == "/a/b?x=1%202&y=2&x=NEW"),
    ("http_queryparam", {"name": "x"}, "1 2", lambda p: p.http_request["uri"] == "/a/b?x=NEW&y=2&x=3"),
    ("http_url", {"index": "1"}, "a", lambda p: p.http_request["uri"] == "/NEW/b?x=1%202&y=2&x=3" and p.doc["location"] == "/NEW/b"),  # noqa: E501
    ("http_req_trailer", {"name": "X-T"}, "t", lambda p: p.http_request["trailers"]["X-T"] == ["NEW"]),
    ("req_body", {}, '{"a": {"b": 1}, "c": 2.50}', lambda p: p.request_body == b"NEW"),
    ("HTTP_Req_Body", {}, '{"a": {"b": 1}, "c": 2.50}', lambda p: p.request_body == b"NEW"),
    ("json_path", {"path": "http.req.body.a.b"}, "1", lambda p: p.request_body == b'{"a": {"b": "NEW"}, "c": 2.50}'),
    ("json_path", {"path": "http.req.host", "regex": r":(\d+)"}, "8443", lambda p: p.http_request["host"] == "api.example.com:NEW"),  # noqa: E501
    ("session", {}, "s-1", lambda p: p.doc["session"] == "NEW"),
    ("target_hostname", {}, "api.example.com", lambda p: p.http_request["host"] == "NEW:8443"),
    ("target_port", {}, "8443", lambda p: p.http_request["host"] == "api.example.com:NEW"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "seen", "changed"), EXTRACTORS)
def test_request_extractors_take_out_and_put_back(name: str, config: dict[str, str], seen: str, changed: Any) -> None:
    recorded = pair()
    before = recorded.to_doc()
    run = run_of(chain(name, ("var_store", {"name": "seen"}), SET, config=config))
    made = run.request(recorded, 0)
    assert run.variables["seen"] == seen
    assert changed(made)
    assert recorded.to_doc() == before, "the recorded pair must not change"


RESPONSE: list[tuple[str, dict[str, str], str]] = [
    ("http_res_header", {"name": "x-r"}, "r"),
    ("http_res_cookie", {"name": "sid"}, "abc"),
    ("http_status_code", {}, "200"),
    ("res_body", {}, '{"ok":true}'),
    ("latency", {}, "12ms"),
    ("json_path", {"path": "http.res.body.ok"}, "true"),
]


@pytest.mark.parametrize(("name", "config", "seen"), RESPONSE)
def test_response_extractors_see_the_live_answer(name: str, config: dict[str, str], seen: str) -> None:
    run = run_of(chain(name, ("var_store", {"name": "seen"}), config=config))
    assert run.request(pair(), 0) is not None
    assert "seen" not in run.variables
    run.response(pair(), pair(), 0)
    assert run.variables["seen"] == seen


def test_every_extractor_is_tested() -> None:
    tested = {row[0].casefold() for row in [*EXTRACTORS, *RESPONSE]} | {"http_res_trailer", "empty", "file", "variable"}
    assert set(TABLE) <= tested


def test_jwt_claims_are_read_through_json_path() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.x"
    recorded = pair(session=f"Bearer {jwt}")
    run = run_of(chain("json_path", ("var_store", {"name": "sub"}), config={"path": "session.jwt.claims.sub"}))
    run.request(recorded, 0)
    assert run.variables["sub"] == "u-1"


def test_nothing_to_do_gives_the_pair_itself() -> None:
    recorded = pair()
    assert run_of().request(recorded, 0) is recorded


def test_filters_choose_pairs() -> None:
    run = run_of(chain("session", SET, filters={"filters": [{"include": True, "detectedLocation": "/other"}]}))
    recorded = pair()
    assert run.request(recorded, 0) is recorded


def test_a_failing_chain_records_an_event_and_the_others_go_on() -> None:
    run = run_of(chain("req_body", ("json_path", {"path": "a.b"}), ("base64", {}), SET, id="x"), chain("session", SET))
    made = run.request(pair(), 0)
    (event,) = made.doc["events"]
    assert event["source"] == "transform set: generator[0]"
    assert event["message"] == "the value is no base64"
    assert made.request_body == pair().request_body
    assert made.doc["session"] == "NEW"


def test_what_steady_chains_make_is_kept_for_a_minute_and_shared() -> None:
    now, shared = [NOW], {}
    token = "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjF9.x"
    recorded = pair()
    assert recorded.http_request is not None
    recorded.http_request["headers"]["Authorization"] = [f"Bearer {token}"]
    compiled = compile_set(
        {"generator": [chain("http_req_header", ("jwt_resign", {"key": "k" * 64}), config={"name": "Authorization"})]}
    )
    one, two = (Run(compiled, clock=lambda: now[0], vuser=n, made=shared) for n in (0, 1))
    made = one.request(recorded, 0)
    assert made is not recorded
    assert two.request(recorded, 0) is made
    now[0] += 61
    later = two.request(recorded, 0)
    assert later is not made
    assert later.http_request != made.http_request
    one.table.learn("X-1-abc", "Y", overwrite=True)
    one.table.learn(token, "live", overwrite=True)
    assert one.request(recorded, 0) is not later, "what a vUser learnt is its own"


def test_what_differs_each_time_is_never_kept() -> None:
    for name, config in (("rand_string", {"pattern": "[a-z]{20}"}), ("one_of", {"options": "a,b"}),
                         ("constant", {"new": "${{rand_string:[a-z]{20}}}"})):  # fmt: skip
        run = run_of(chain("session", (name, config)))
        assert run.request(pair(), 0).doc["session"] != run.request(pair(), 0).doc["session"]


def test_signing_comes_last() -> None:
    jwt = ("jwt_resign", {"key": "k" * 64})
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x"
    run = run_of(
        chain("http_req_header", jwt, config={"name": "Authorization"}),
        chain("http_req_header", ("constant", {"new": f"Bearer {token}"}), config={"name": "Authorization"}),
    )
    made = run.request(pair(), 0)
    assert made.http_request is not None
    (value,) = made.http_request["headers"]["Authorization"]
    assert value.startswith("Bearer ey")
    assert not value.endswith(".x")


def test_variables_are_made_for_each_vuser() -> None:
    variable = {"name": "id", "config": chain("empty", ("rand_string", {"pattern": "[a-z]{12}"}))}
    compiled = compile_set({"generatorVariables": [variable]})
    one, two, again = (Run(compiled, seed=1, vuser=n) for n in (0, 1, 0))
    assert one.variables["id"] == again.variables["id"] != two.variables["id"]


def test_recorded_to_live_is_learnt_and_used_everywhere() -> None:
    token, live = "rec-token-1", 'li"ve+token'
    run = run_of(chain("res_body", ("json_path", {"path": "t"}), ("smart_replace_recorded", {})))
    login, answer = pair(), pair()
    login.response_body = b'{"t":"rec-token-1"}'
    answer.response_body = b'{"t":"li\\"ve+token"}'
    run.response(login, answer, 0)
    later = pair()
    assert later.http_request is not None
    later.http_request["uri"] = f"/x/{token}?t={token}&long={token}9"
    later.http_request["headers"]["Authorization"] = [f"Bearer {token}"]
    later.http_request["headers"]["cookie"] = [f"a=1; sid={token}"]
    later.request_body = f'{{"t":"{token}","other":"x{token}"}}'.encode()
    made = run.request(later, 1)
    assert made.http_request is not None
    assert made.http_request["uri"] == "/x/li%22ve%2Btoken?t=li%22ve%2Btoken&long=rec-token-19"
    assert made.http_request["headers"]["Authorization"] == [f"Bearer {live}"]
    assert made.http_request["headers"]["cookie"] == [f"a=1; sid={live}"]
    assert made.request_body == b'{"t":"li\\"ve+token","other":"xrec-token-1"}'


def test_form_bodies_are_encoded_as_forms() -> None:
    run = run_of()
    run.table.learn("old value", "new+value", overwrite=True)
    recorded = pair()
    assert recorded.http_request is not None
    recorded.http_request["headers"]["Content-Type"] = ["application/x-www-form-urlencoded"]
    recorded.request_body = b"a=old+value&b=2"
    assert run.request(recorded, 0).request_body == b"a=new%2Bvalue&b=2"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"generator": [chain("reqbody", SET)]}, "'reqbody' is unknown; did you mean 'req_body'?"),
    ({"generator": [chain("req_body", ("jsonpath", {}))]}, "'jsonpath' is unknown; did you mean 'json_path'?"),
    ({"generator": [chain("req_body", ("aws_auth", {}))]}, "'aws_auth' is not supported yet"),
    ({"generator": [{"extractor": {"type": "req_body"}, "transform": []}]}, "unknown key 'transform'; did you mean 'transforms'?"),  # noqa: E501
    ({"generator": [7]}, "expected an object"),
    ({"generator": {}}, "expected a list"),
    ({"generatorVariables": [{"config": chain("empty")}]}, "a variable needs a name"),
    ({"responder": [chain("http_req_header", SET)]}, "'name' is required"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), BAD)
def test_a_wrong_set_is_refused_with_place_and_remedy(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        compile_set(document, source="mine")
    assert message in str(error.value)
    assert str(error.value).startswith("mine: ")


def test_all_problems_come_together_and_filters_need_a_compiler() -> None:
    bad = [chain("nope", SET), chain("req_body", ("nope", {}), filters={"filters": [{"host": "x"}]})]
    with pytest.raises(ConfigError) as error:
        compile_set({"generator": bad})
    assert len(error.value.problems) == 3


def test_field_names_in_any_letter_case_and_blueprints() -> None:
    document = {
        "id": "bp",
        "tokenizeConfig": {
            "Generator": [
                {"Extractor": {"Type": "SESSION"}, "Transforms": [{"Type": "Constant", "Config": {"New": "v"}}]}
            ]
        },
    }
    assert len(compile_set(document).generator) == 1


def test_the_schemas_examples_compile() -> None:
    for example in schema("transform-set")["examples"]:
        assert not check("transform-set", example)
        assert compile_set(example, compile_filter=filters.compile_rule).generator
