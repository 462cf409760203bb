"""The client against a scripted API server: paths, paging, applying, and what each refusal becomes."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from speedscale_kube import Access, Client, Ref, load
from speedscale_kube.errors import (
    ApplyConflictError,
    ConflictError,
    ExistsError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
)
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

IT = Ref("v1", "ConfigMap", "shop", "it")


def page(names: list[str], more: str = "", version: str = "7") -> dict[str, Any]:
    items = [{"metadata": {"name": name}} for name in names]
    return {"kind": "ConfigMapList", "metadata": {"continue": more, "resourceVersion": version}, "items": items}


GONE = (410, "Expired", {})


def test_a_kind_is_found_by_discovery_once(server: Any, client: Client) -> None:
    server.respond({"kind": "ConfigMap"}, {"kind": "ConfigMap"})
    client.get(IT)
    client.get(IT)
    assert [r.path for r in server.requests].count("/api/v1") == 1
    assert server.asked() == ["GET /api/v1/namespaces/shop/configmaps/it"] * 2


def test_an_object_without_namespace_goes_to_that_of_the_context(client: Client) -> None:
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "it"}}
    assert client.ref(manifest) == Ref("apps/v1", "Deployment", "shop", "it")
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "it", "namespace": "wrong"}}
    assert client.ref(manifest).namespace == ""


def test_a_kind_the_cluster_does_not_know_is_asked_for_again(server: Any, client: Client) -> None:
    with pytest.raises(NotFoundError, match="serves v1, and no kind Thing"):
        client.resource("v1", "Thing")
    with pytest.raises(NotFoundError, match=r"serves no example\.com/v1 Thing"):
        client.resource("example.com/v1", "Thing")
    server.respond({"resources": [{"name": "things", "kind": "Thing", "namespaced": False, "verbs": []}]})
    assert client.resource("example.com/v1", "Thing").path(name="a/b") == "/apis/example.com/v1/things/a%2Fb"


def test_pages_are_asked_for_by_their_token_and_bear_one_version(server: Any, client: Client) -> None:
    server.respond(page(["a", "b"], more="next"), page(["c"]))
    pages = list(client.pages("v1", "ConfigMap", "shop", labels="app=it", limit=2))
    assert [[item["metadata"]["name"] for item in one.items] for one in pages] == [["a", "b"], ["c"]]
    assert {one.resource_version for one in pages} == {"7"}
    assert pages[0].items[0]["kind"] == "ConfigMap", "items of a list do not name their kind"
    first, second = (r.params for r in server.requests[1:])
    assert first == {"limit": "2", "labelSelector": "app=it"}
    assert second == {**first, "continue": "next"}


def test_a_list_begins_anew_when_its_version_is_gone(server: Any, client: Client) -> None:
    server.respond(page(["old"], more="next"), GONE, page(["a"], more="next"), page(["b"]))
    assert [item["metadata"]["name"] for item in client.list("v1", "ConfigMap")] == ["a", "b"]
    assert "continue" not in server.requests[3].params


def test_a_list_that_is_gone_each_time_gives_up(server: Any, client: Client) -> None:
    server.respond(GONE, GONE, GONE)
    with pytest.raises(GoneError, match="Expired"):
        client.list("v1", "ConfigMap")


def test_pages_say_that_the_version_is_gone(server: Any, client: Client) -> None:
    server.respond(page(["a"], more="next"), GONE)
    pages = client.pages("v1", "ConfigMap")
    assert next(pages).items[0]["metadata"]["name"] == "a"
    with pytest.raises(GoneError):
        next(pages)


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_page_has_bounds(limit: int, client: Client) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        next(client.pages("v1", "ConfigMap", limit=limit))


def test_apply_is_a_patch_under_a_managers_name(server: Any, client: Client) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": {"clé": "é"}}
    server.respond({"kind": "ConfigMap"}, {"kind": "ConfigMap"})
    client.apply(manifest, "us")
    client.apply(manifest, "us", force=True, dry_run=True, strict=True)
    plain, full = server.requests[1:]
    assert (plain.method, plain.path) == ("PATCH", "/api/v1/namespaces/shop/configmaps/it")
    assert plain.headers["content-type"] == "application/apply-patch+yaml"
    assert plain.params == {"fieldManager": "us", "force": "false"}
    assert plain.body == manifest
    assert full.params == {"fieldManager": "us", "force": "true", "dryRun": "All", "fieldValidation": "Strict"}


def test_a_patch_says_of_which_kind_it_is(server: Any, client: Client) -> None:
    server.respond({}, {})
    client.patch(IT, [{"op": "remove", "path": "/data"}], "us", kind="json", dry_run=True)
    client.patch(IT, {"spec": {"replicas": 1}}, "us", subresource="scale")
    types = [r.headers["content-type"] for r in server.requests[1:]]
    assert types == ["application/json-patch+json", "application/merge-patch+json"]
    assert server.requests[1].params == {"fieldManager": "us", "dryRun": "All"}
    assert server.asked()[1] == "PATCH /api/v1/namespaces/shop/configmaps/it/scale"


def test_deleting_what_is_not_there_is_no_error(server: Any, client: Client) -> None:
    server.refuse(404, "NotFound")
    assert client.delete(IT) is False
    assert client.find(IT) is None
    server.respond({"kind": "Status", "status": "Success"})
    assert client.delete(IT) is True
    assert server.requests[-1].params == {"propagationPolicy": "Background"}


REFUSALS: list[tuple[int, str, dict[str, Any], type[Exception], type[Exception]]] = [
    (400, "BadRequest", {}, InvalidError, PermanentError),
    (401, "Unauthorized", {}, UnauthorizedError, PermanentError),
    (403, "Forbidden", {}, ForbiddenError, PermanentError),
    (404, "NotFound", {}, NotFoundError, PermanentError),
    (405, "MethodNotAllowed", {}, PermanentError, PermanentError),
    (409, "AlreadyExists", {}, ExistsError, PermanentError),
    (409, "Conflict", {}, ConflictError, TransientError),
    (410, "Gone", {}, GoneError, TransientError),
    (422, "Invalid", {}, InvalidError, PermanentError),
    (429, "TooManyRequests", {}, ThrottledError, TransientError),
    (500, "InternalError", {}, ServerError, TransientError),
    (500, "ServerTimeout", {"retryAfterSeconds": 2}, ThrottledError, TransientError),
    (503, "ServiceUnavailable", {}, ThrottledError, TransientError),
]


@pytest.mark.parametrize(("code", "reason", "details", "kind", "family"), REFUSALS)
def test_a_refusal_is_quoted_and_of_the_kind_that_says_what_to_do(
    code: int,
    reason: str,
    details: dict[str, Any],
    kind: type[Exception],
    family: type[Exception],
    server: Any,
    client: Client,
) -> None:
    server.refuse(code, reason, 'configmaps "it" is not for you', **details)
    with pytest.raises(family) as caught:
        client.get(IT)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text.startswith(f"{reason}: ")
    assert 'configmaps "it" is not for you (GET /api/v1/namespaces/shop/configmaps/it)' in text


def test_a_body_that_does_not_fit_its_schema_is_refused_for_good_whatever_the_code(server: Any, client: Client) -> None:
    server.refuse(
        500, "", "failed to create typed patch object (shop/it; /v1, Kind=ConfigMap): .dat: field not declared"
    )
    with pytest.raises(InvalidError, match=r"^Invalid: .*\.dat: field not declared"):
        client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "dat": {}}, "us")


def test_creating_is_a_post_to_the_collection(server: Any, client: Client) -> None:
    server.respond({"kind": "ConfigMap"})
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}}, "us")
    assert server.asked() == ["POST /api/v1/namespaces/shop/configmaps"]
    assert server.requests[-1].params == {"fieldManager": "us"}


def test_a_conflict_of_managers_names_the_fields(server: Any, client: Client) -> None:
    causes = [{"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.replicas"}]
    server.refuse(409, "Conflict", "Apply failed with 1 conflict", causes=causes)
    with pytest.raises(ApplyConflictError) as caught:
        client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}}, "us")
    assert caught.value.fields == (".spec.replicas",)


def test_a_refusal_that_is_no_status_still_has_a_reason(server: Any, client: Client) -> None:
    server.always(None, 403, {}, b"<html>")
    with pytest.raises(ForbiddenError, match="Forbidden: the server gave no explanation"):
        client.get(IT)


@pytest.mark.parametrize(
    ("status", "raw"), [(200, b"<html>log in</html>"), (200, b"[1]"), (200, b""), (302, b""), (200, b"{\xff")]
)
def test_an_answer_of_something_else_is_said_to_be_that(server: Any, client: Client, status: int, raw: bytes) -> None:
    server.always(None, status, {}, raw)
    with pytest.raises(PeerError, match="did not answer like a Kubernetes API server"):
        client.get(IT)


def test_a_list_that_is_none_is_refused(server: Any, client: Client) -> None:
    server.respond({"items": []})
    with pytest.raises(PeerError, match="no list"):
        client.list("v1", "ConfigMap")


def test_a_busy_server_is_asked_again_after_the_time_it_names(server: Any, access: Access) -> None:
    waits: list[float] = []

    busy = (429, "TooManyRequests", {"Retry-After": "7"})
    server.respond(busy, busy, {"kind": "ConfigMap"}, busy)
    client = Client(access, retries=2, sleep=waits.append)
    assert client.get(IT) == {"kind": "ConfigMap"}
    assert waits == [7.0, 7.0]
    with pytest.raises(ThrottledError) as caught:
        Client(access, retries=0, sleep=waits.append).get(IT)
    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2015 07:28:00 GMT", "-3", "nan", "999999999", ""])
def test_a_time_that_makes_no_sense_is_replaced(header: str, server: Any, client: Client) -> None:
    server.always({}, 429, {"Retry-After": header}, None)
    with pytest.raises(ThrottledError) as caught:
        client.get(IT)
    assert caught.value.retry_after_s == 1.0


def test_nobody_there_is_transient_and_says_where(tmp_path: Path, server: Any) -> None:
    path = tmp_path / "config"
    path.write_text(
        f"clusters: [{{name: c, cluster: {{server: '{server.url}'}}}}]\n"
        "contexts: [{name: main, context: {cluster: c}}]\ncurrent-context: main\n",
        encoding="utf-8",
    )
    server.close()
    with Client(load(path, environ={})) as client, pytest.raises(UnreachableError) as caught:
        client.version()
    assert server.url in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "context main" in str(caught.value)


def test_proxies_of_the_environment_are_not_used(server: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.respond({"gitVersion": "v1.34.4"})
    assert client.version() == "v1.34.4"


def test_the_token_goes_with_each_request_and_never_into_messages(server: Any, client: Client, access: Access) -> None:
    server.refuse(403, "Forbidden")
    with pytest.raises(ForbiddenError) as caught:
        client.get(IT)
    assert {r.headers["authorization"] for r in server.requests} == {"Bearer secret-token"}
    assert "secret-token" not in str(caught.value) + repr(access) + repr(client)


def test_an_update_bears_the_version_it_was_read_with(server: Any, client: Client) -> None:
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}}
    with pytest.raises(ValueError, match="ConfigMap shop/it: an update bears the resourceVersion"):
        client.update(manifest, "us")
    manifest["metadata"]["resourceVersion"] = "7"
    server.respond({"kind": "ConfigMap"}, (409, "Conflict", {}))
    client.update(manifest, "us", subresource="status", dry_run=True)
    request = server.requests[-1]
    assert (request.method, request.path) == ("PUT", "/api/v1/namespaces/shop/configmaps/it/status")
    assert request.params == {"fieldManager": "us", "dryRun": "All"}
    with pytest.raises(ConflictError):
        client.update(manifest, "us")


def test_apply_can_be_for_one_subresource(server: Any, client: Client) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}}
    server.respond({"kind": "ConfigMap"})
    client.apply(manifest, "us", subresource="status")
    assert server.asked() == ["PATCH /api/v1/namespaces/shop/configmaps/it/status"]


def test_patience_ends_a_request_that_hangs_and_is_that_of_the_view_alone(server: Any, client: Client) -> None:
    release = threading.Event()

    def hang(request: Any) -> Any:
        release.wait(30)
        return server.streams(b"{}")

    server.script = hang
    with pytest.raises(UnreachableError, match="timed out"):
        client.patient(0.05).get(IT)
    release.set()
    assert client.get(IT) == {}


def test_several_threads_share_one_client(server: Any, client: Client) -> None:
    server.script = lambda request: server.streams(json.dumps({"it": request.path}).encode())
    wrong: list[Any] = []

    def ask(number: int) -> None:
        for _ in range(10):
            answer = client.get(IT._replace(name=f"it-{number}"))
            if not answer["it"].endswith(f"/it-{number}"):
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert len(server.asked()) == 80
