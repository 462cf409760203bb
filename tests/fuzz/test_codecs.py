"""Codecs against hostile content: nothing is lost, only ConfigError is raised, the same pair, the same bytes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from speedscale_runtime.rrpair import RRPair, jsonform, jsonlayout, jsontext, markdown
from speedscale_schemas.errors import ConfigError

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NASTY = st.sampled_from(
    [
        "",
        "```",
        "\n```\n",
        "````",
        "\n```\n\n```\n",
        "### RESPONSE ###\n```\nHTTP/1.1 500 No\n```\n",
        "\n```\n\n### SIGNATURE ###\n```\na is b\n```\n",
        "\n```\n\n### INTERNAL - DO NOT MODIFY ###\n```\njson: {}\n```\n",
        "-NONE-",
        "a, b",
        "a\\, b\\\\",
        "\r\n",
        "\x00",
        "\ud800",
        "\ufeff",
        "é́",
        "k=v, x=y",
        '{"a":1}',
        '{ "a" : 1.0e5, "a": [ ] }',
        "[1,\n2]",
        "12345678901234567890123",
        ": ",
        " is ",
    ]
)
TEXT = st.one_of(NASTY, st.text(max_size=12), st.lists(NASTY, max_size=4).map("".join))
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
HEADERS = st.one_of(VALUE, st.dictionaries(TEXT, st.lists(TEXT, max_size=3), max_size=4))
BODY = st.one_of(
    st.just({}),
    st.binary(max_size=40).map(lambda b: {"bodyBase64": base64.b64encode(b).decode()}),
    TEXT.map(lambda t: {"body": t}),
    TEXT.filter(lambda t: "\ud800" not in t).map(
        lambda t: {"body": t, "bodyBase64": base64.b64encode(t.encode()).decode()}
    ),
    st.builds(lambda a, b: {"body": a, "bodyBase64": base64.b64encode(b).decode()}, VALUE, st.binary(max_size=9)),
    VALUE.map(lambda v: {"body": v}),
)
URLS = st.one_of(VALUE, st.sampled_from(["/", "/a?b=c&b=d", "http://x/y", "*", "a:443", "/a b HTTP/1.1"]))


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


REQUEST = st.builds(
    lambda a, b: {**a, **b},
    optional(
        method=VALUE,
        uri=URLS,
        url=URLS,
        version=VALUE,
        host=VALUE,
        headers=HEADERS,
        trailers=HEADERS,
        queryParams=VALUE,
    ),
    BODY,
)
RESPONSE = st.builds(
    lambda a, b: {**a, **b},
    optional(
        statusCode=VALUE, statusMessage=VALUE, contentType=VALUE, headers=HEADERS, trailers=HEADERS, version=VALUE
    ),
    BODY,
)
HTTP = st.one_of(VALUE, optional(req=st.one_of(VALUE, REQUEST), res=st.one_of(VALUE, RESPONSE)))
DOCUMENTS = st.builds(
    lambda known, unknown: {**unknown, "direction": "OUT", **known},
    optional(
        direction=VALUE,
        ts=st.one_of(VALUE, st.sampled_from(["2026-01-01T00:00:00.1200Z", "2026-01-01T00:00:00+02:00"])),
        uuid=st.one_of(VALUE, st.binary(min_size=16, max_size=16).map(lambda b: base64.b64encode(b).decode())),
        duration=VALUE,
        tags=st.one_of(VALUE, st.dictionaries(TEXT, TEXT, max_size=4)),
        l7protocol=st.one_of(VALUE, st.sampled_from(["http", "https", "grpc"])),
        network_address=VALUE,
        netinfo=st.one_of(VALUE, optional(upstream=VALUE)),
        signature=st.one_of(
            VALUE,
            st.dictionaries(TEXT, st.binary(max_size=9).map(lambda b: base64.b64encode(b).decode()), max_size=3),
        ),
        mutableSignature=VALUE,
        http=HTTP,
        postgres=optional(request=VALUE, response=VALUE),
        command=VALUE,
        location=VALUE,
        status=VALUE,
    ),
    st.dictionaries(st.text(max_size=5), VALUE, max_size=2),
)


def pair_of(doc: dict[str, Any]) -> RRPair | None:
    try:
        return RRPair.from_doc(doc)
    except ValueError:  # a bodyBase64 that is none, drawn as free text
        return None


@SLOW
@given(DOCUMENTS)
def test_json_keeps_every_pair(doc: dict[str, Any]) -> None:
    pair = pair_of(doc)
    if pair is None:
        return
    data = jsonform.dumps(pair)
    assert jsonform.loads(data) == pair
    line = jsonform.dumps_line(pair)
    assert b"\n" not in line
    assert jsonform.loads(line) == pair
    assert jsonform.dumps(jsonform.loads(line)) == data


@SLOW
@given(DOCUMENTS)
def test_markdown_keeps_every_pair(doc: dict[str, Any]) -> None:
    pair = pair_of(doc)
    if pair is None:
        return
    data = markdown.dumps(pair)
    again = markdown.loads(data)
    assert again == pair
    assert again.rendering is None
    assert markdown.dumps(again) == data


@SLOW
@given(DOCUMENTS, st.sampled_from(["REQUEST", "RESPONSE", "SIGNATURE", "METADATA"]), TEXT, st.data())
def test_any_edit_is_read_or_refused_with_a_reason(doc: dict[str, Any], name: str, text: str, data: Any) -> None:
    pair = pair_of(doc)
    if pair is None:
        return
    written = markdown.dumps(pair)
    at = data.draw(st.integers(0, written.rfind(b"### INTERNAL")))
    edited = written[:at] + text.encode("utf-8", "surrogatepass") + written[at:]
    try:
        again = markdown.loads(edited, "f.md")
    except ConfigError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert refused.startswith("f.md:")
        return
    settled = markdown.loads(markdown.dumps(again))
    assert settled == again
    assert markdown.dumps(settled) == markdown.dumps(again)
    assert jsonform.loads(jsonform.dumps(again)) == again


@SLOW
@given(st.binary(max_size=200))
@example(b"### INTERNAL - DO NOT MODIFY ###")
@example(b"### INTERNAL - DO NOT MODIFY ###\njson:")
@example(b"### INTERNAL - DO NOT MODIFY ###\n```\njson: []\n```")
@example(b'\x89### REQUEST ###\n```\n### INTERNAL - DO NOT MODIFY ###\n```\njson: {"http":{}}\n```')
@pytest.mark.parametrize("loads", [jsonform.loads, markdown.loads])
def test_any_bytes_give_a_pair_or_a_config_error(loads: Any, data: bytes) -> None:
    try:
        said = repr(loads(data, "x"))
    except ConfigError as error:
        said = str(error)
    assert said.startswith(("<RRPair", "x:"))


@SLOW
@given(DOCUMENTS, st.data())
def test_a_torn_file_is_refused(doc: dict[str, Any], data: Any) -> None:
    pair = pair_of(doc)
    if pair is None:
        return
    written = markdown.dumps(pair)
    whole = len(written.rstrip(b"`\n"))
    with pytest.raises(ConfigError):
        markdown.loads(written[: data.draw(st.integers(0, whole - 1))], "x")


@SLOW
@given(VALUE)
def test_json_layout_is_its_own_inverse(value: Any) -> None:
    import json

    text = json.dumps([value], separators=(",", ":"), ensure_ascii=True).encode()
    shown = jsonlayout.indent(text)
    assert shown is not None
    assert jsonlayout.squeeze(shown) == text
    assert shown.decode() == json.dumps([value], indent=2)
    assert jsonlayout.same(shown, text)


@SLOW
@given(DOCUMENTS)
def test_frames_keep_every_pair(doc: dict[str, Any]) -> None:
    pair = pair_of(doc)
    if pair is None:
        return
    again = RRPair.from_frame(pair.to_frame())
    assert again.doc == pair.doc
    assert (again.request_body or b"") == (pair.request_body or b"")
    assert (again.response_body or b"") == (pair.response_body or b"")
    assert pair.copy() == pair


# What people edit: the sections of one pair in front of the document of another

NAMES = st.from_regex(r"[A-Z][A-Za-z-]{0,6}", fullmatch=True).filter(
    lambda n: n.casefold() not in ("content-length", "trailer", "content-type", "content-encoding")
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=8)
PLAIN = VALUES.map(lambda v: v.replace("\\", "").replace(",", "").strip())
CLEAN_HEADERS = st.dictionaries(NAMES, st.lists(PLAIN, min_size=1, max_size=2), max_size=3)
PATHS = st.from_regex(r"(/[a-z0-9]{0,4}){1,3}(\?[a-z]=[0-9]?)?", fullmatch=True)
BODIES = st.one_of(
    st.text(max_size=20).map(str.encode),
    NASTY.filter(lambda t: "\ud800" not in t).map(str.encode),
    VALUE.map(lambda v: jsonlayout.squeeze(jsontext.compact([v])) or b""),
)


@st.composite
def clean_pairs(draw: st.DrawFn) -> RRPair:
    path = draw(PATHS)
    code = draw(st.integers(100, 599))
    doc = {
        "msgType": "rrpair",
        "ts": f"2026-03-01T10:20:{draw(st.integers(10, 59))}.5Z",
        "l7protocol": draw(st.sampled_from(["http", "https"])),
        "duration": draw(st.integers(0, 9999)),
        "tags": draw(st.dictionaries(NAMES, PLAIN, max_size=3)) | {"proxyLocation": "in"},
        "uuid": base64.b64encode(draw(st.binary(min_size=16, max_size=16))).decode(),
        "direction": draw(st.sampled_from(["IN", "OUT"])),
        "network_address": draw(st.sampled_from(["a:80", "b:8080", "c.example:443"])),
        "command": (method := draw(st.sampled_from(["GET", "POST", "PATCH"]))),
        "location": path.partition("?")[0],
        "status": str(code),
        "http": {
            "req": {
                "method": method,
                "uri": path,
                "url": path.partition("?")[0],
                "version": draw(st.sampled_from(["1.0", "1.1", "2.0"])),
                "host": "a",
                "headers": draw(CLEAN_HEADERS),
            },
            "res": {"statusCode": code, "statusMessage": f"{code} {draw(NAMES)}", "headers": draw(CLEAN_HEADERS)},
        },
        "signature": {
            f"http:{key}": base64.b64encode(value.encode()).decode()
            for key, value in draw(st.dictionaries(NAMES, PLAIN, max_size=3)).items()
        },
    }
    pair = RRPair.from_doc(doc)
    pair.request_body, pair.response_body = draw(BODIES), draw(BODIES)
    return pair


def internal(data: bytes) -> int:
    """Return where the document's section starts; its own line may contain the same words."""
    return data.rindex(b"\n### INTERNAL") + 1


def visible(pair: RRPair) -> dict[str, Any]:
    """Return what a person sees of a pair, in the form in which programs see it."""
    doc = pair.copy().doc
    req = doc["http"]["req"]
    return {
        **{key: doc.get(key) for key in ("ts", "l7protocol", "duration", "tags", "uuid", "direction", "status")},
        **{key: doc.get(key) for key in ("network_address", "command", "location", "signature")},
        "req": {key: req.get(key) for key in ("method", "uri", "url", "version", "headers")},
        "res": doc["http"]["res"],
        "bodies": (pair.request_body, pair.response_body),
    }


@SLOW
@given(clean_pairs(), clean_pairs())
def test_edited_sections_win_over_the_document(before: RRPair, after: RRPair) -> None:
    document = markdown.dumps(before)
    text = markdown.dumps(after)
    edited = text[: internal(text)] + document[internal(document) :]
    again = markdown.loads(edited)
    wanted = visible(after)
    wanted["bodies"] = tuple(jsonlayout.squeeze(body) or body for body in wanted["bodies"])
    if jsonlayout.same(before.request_body or b"", after.request_body or b""):
        wanted["bodies"] = (before.request_body, wanted["bodies"][1])
    if jsonlayout.same(before.response_body or b"", after.response_body or b""):
        wanted["bodies"] = (wanted["bodies"][0], before.response_body)
    assert without_trailing_space(visible(again)) == without_trailing_space(wanted)
    assert markdown.loads(markdown.dumps(again)) == again


def without_trailing_space(seen: dict[str, Any]) -> dict[str, Any]:
    """Space at a body's end is layout to other tools, so an edit of it alone is not one."""
    return seen | {"bodies": tuple((body or b"").replace(b"\r\n", b"\n").rstrip() for body in seen["bodies"])}


@SLOW
@given(clean_pairs())
def test_a_compact_file_is_filled_from_its_text(pair: RRPair) -> None:
    text = markdown.dumps(pair)
    bare = pair.copy()
    bare.request_body = bare.response_body = None
    for side in ("req", "res"):
        del bare.doc["http"][side]["headers"]
    document = markdown.dumps(bare)
    compact = text[: internal(text)] + document[internal(document) :]
    again = markdown.loads(compact)
    for side in ("req", "res"):
        again.doc["http"][side].setdefault("headers", {})  # none shown, none filled in
    wanted = visible(pair)
    wanted["bodies"] = tuple(jsonlayout.squeeze(body) or body for body in wanted["bodies"])
    assert without_trailing_space(visible(again)) == without_trailing_space(wanted)
