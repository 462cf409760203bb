"""The record: what it says of a change, and that only what still holds our value is undone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from speedscale_controller.injection import record
from speedscale_controller.injection.record import difference, dumps, fingerprint, loads, revert


def undone(before: dict[str, Any], after: dict[str, Any], edited: dict[str, Any] | None = None) -> dict[str, Any]:
    found = copy.deepcopy(edited if edited is not None else after)
    revert(found, difference(before, after))
    return found


def env(**variables: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", "env": [{"name": n, "value": v} for n, v in variables.items()]}]}}


@pytest.mark.parametrize(
    ("before", "after", "entries"),
    [
        ({}, {"a": 1}, {"/a": [fingerprint(1)]}),
        ({"a": 1}, {"a": 2}, {"/a": [fingerprint(2), 1]}),
        ({"a": 1}, {}, {"/a": [None, 1]}),
        ({}, {"m": {"x/y": "z"}}, {"/m": ["+"], "/m/x~1y": [fingerprint("z")]}),
        ({"m": None}, {"m": {"x": "z"}}, {"/m": ["+", None], "/m/x": [fingerprint("z")]}),
        ({"m": {}}, {"m": {"x": "z"}}, {"/m/x": [fingerprint("z")]}),
        ({"t": "ab"}, {"t": "abc"}, {"/t": [fingerprint("abc"), 2, "cut"]}),
        ({"l": [1]}, {"l": [2]}, {"/l": [fingerprint([2]), [1]]}),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "B"}, {"name": "A", "value": "2"}]},
            {"/env/name=B": [fingerprint({"name": "B"})], "/env/name=A/value": [fingerprint("2"), "1"]},
        ),
        (
            {"env": [{"name": "A"}, {"name": "A", "value": "1"}]},
            {"env": [{"name": "A"}, {"name": "A", "value": "2"}]},
            {"/env/1:name=A/value": [fingerprint("2"), "1"]},
        ),
        (  # elements changed places, which only the whole list can tell
            {"env": [{"name": "A"}, {"name": "B"}]},
            {"env": [{"name": "B"}, {"name": "A"}]},
            {"/env": [fingerprint([{"name": "B"}, {"name": "A"}]), [{"name": "A"}, {"name": "B"}]]},
        ),
    ],
)
def test_what_is_written_down(before: Any, after: Any, entries: Any) -> None:
    assert difference(before, after) == entries
    assert undone(before, after) == before
    assert loads(dumps({}, entries)) == ({}, entries, None)


def test_an_edited_value_stays() -> None:
    before, after = env(A="1"), env(A="2", B="3")
    assert undone(before, after, env(A="mine", B="3")) == env(A="mine")
    assert undone(before, after, env(A="2", B="mine")) == env(A="1", B="mine")
    assert undone(before, after, env(C="4", B="3", A="2")) == env(C="4", A="1")


def test_what_others_put_into_our_list_keeps_the_list() -> None:
    before: dict[str, Any] = {"spec": {}}
    after = {"spec": {"volumes": [{"name": "ours"}]}}
    assert undone(before, after, {"spec": {"volumes": [{"name": "ours"}, {"name": "mine"}]}}) == {
        "spec": {"volumes": [{"name": "mine"}]}
    }
    assert undone(before, after, {}) == {}


def test_what_we_took_away_comes_back_unless_somebody_put_another_there() -> None:
    before, after = {"a": {"x": 1}}, {"a": dict[str, int]()}
    assert undone(before, after) == before
    assert undone(before, after, {"a": {"x": 7}}) == {"a": {"x": 7}}


def test_what_the_api_server_leaves_out_does_not_count() -> None:
    ours = {"name": "A", "value": "", "valueFrom": None}
    assert fingerprint(ours) == fingerprint({"name": "A"})
    assert fingerprint({"a": 0}) != fingerprint({})


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "[]",
        "{}",
        '{"w":{},"t":[]}',
        '{"w":{},"t":{"a":["x"]}}',
        '{"w":{},"t":{"/a":[]}}',
        '{"w":{},"t":{"/a":[null]}}',
        '{"w":{},"t":{"/a":["x",-1,"cut"]}}',
        '{"w":{},"t":{"/a":["x",true,"cut"]}}',
        '{"w":{},"t":{"/a":["x",1,"y"]}}',
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(" " * (5 * record.MAX_BYTES), id="long"),
    ],
)
def test_what_is_no_record_is_none(text: Any) -> None:
    assert loads(text) is None
