"""AdmissionReview v1: read strictly, answered with the uid, warnings within their bounds."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_controller.admission.review import WARNINGS, Response, bounded, read, uid_of
from speedscale_schemas.errors import PeerError

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


def review(**request: Any) -> dict[str, Any]:
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": UID,
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "namespace": "shop",
            "name": "web",
            "operation": "CREATE",
            "object": {"metadata": {"name": "web"}},
            "oldObject": None,
            "dryRun": False,
            **request,
        },
    }


def test_a_request_is_read() -> None:
    found = read(json.dumps(review(dryRun=True, subResource="scale")).encode())
    assert (found.uid, found.group, found.kind, found.operation) == (UID, "apps", "Deployment", "CREATE")
    assert (found.place, found.dry_run, found.sub_resource, found.old) == ("shop/web", True, "scale", None)


def test_a_name_that_the_server_has_yet_to_give() -> None:
    found = read(json.dumps(review(name="", object={"metadata": {"generateName": "web-"}})).encode())
    assert found.place == "shop/web-"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps({**review(), "kind": "Pod"}).encode(),
        json.dumps({**review(), "request": None}).encode(),
        json.dumps(review(uid="")).encode(),
        json.dumps(review(uid=5)).encode(),
        json.dumps(review(operation=None)).encode(),
    ],
)
def test_what_is_no_review(body: bytes) -> None:
    with pytest.raises(PeerError, match="malformed"):
        read(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["uid", "kind", "request", "apiVersion", "operation", "object", "namespace"]), x
            )
        ),
        max_leaves=12,
    )
)
def test_anything_else_is_read_or_refused(document: Any) -> None:
    for body in (document, {**review(), "request": document}, review(object=document, kind=document)):
        try:
            found = read(json.dumps(body).encode())
        except PeerError:
            continue
        assert isinstance(found.uid, str)
        assert found.place is not None


def test_the_answer_bears_the_uid() -> None:
    answer = json.loads(Response().write(UID))
    assert answer == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": UID, "allowed": True},
    }


def test_a_patch() -> None:
    operations = [{"op": "add", "path": "/spec/mode", "value": "full-replay"}]
    response = json.loads(Response(tuple(operations), audit="inject").write(UID))["response"]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == operations
    assert response["auditAnnotations"] == {"verdict": "inject"}


def test_a_refusal_changes_nothing() -> None:
    response = json.loads(Response(({"op": "add"},), refusal="no").write(UID))["response"]
    assert response == {
        "uid": UID,
        "allowed": False,
        "status": {"status": "Failure", "code": 422, "reason": "Invalid", "message": "no"},
    }


@given(st.lists(st.text(max_size=400), max_size=40))
def test_warnings_are_bounded(warnings: list[str]) -> None:
    told = bounded(warnings)
    assert len(told) <= WARNINGS + 1
    assert all(0 < len(text) <= 256 and "\n" not in text for text in told)
    assert sum(map(len, told)) <= 4096


def test_warnings_that_are_left_out_are_counted() -> None:
    told = bounded([f"warning {number}" for number in range(30)])
    assert told[-1] == "and 15 more warnings"
    assert bounded(["a", "a", "b\n c"]) == ["a", "b c"]


def test_the_uid_out_of_a_beginning() -> None:
    body = json.dumps(review(object={"metadata": {"uid": "another"}, "data": "x" * 100_000})).encode()
    assert uid_of(body[:4096]) == UID
    assert uid_of(b'{"kind":"AdmissionReview"') == ""
    assert uid_of(b'{"uid":"' + b"a" * 100 + b'"') == ""
