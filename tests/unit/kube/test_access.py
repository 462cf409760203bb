"""Which cluster and as whom: the rules of kubectl, with every mistake named."""

from __future__ import annotations

import base64
import gc
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedscale_kube import Client, load
from speedscale_schemas.errors import ConfigError

SERVER = "https://api.example.com:6443"
Write = Callable[..., Path]


def document(name: str, server: str = SERVER, **context: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": f"token-{name}"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}}],
        "current-context": name,
    }


def save(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def problem(*arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **keywords)
    return str(caught.value)


def test_an_explicit_file_wins_over_the_environment(tmp_path: Path) -> None:
    one, two = save(tmp_path / "one", document("one")), save(tmp_path / "two", document("two"))
    access = load(one, environ={"KUBECONFIG": str(two)})
    assert (access.server, access.namespace, access.origin) == (SERVER, "default", f"context one of {one}")
    assert access.credential.authorization() == "Bearer token-one"


def test_files_of_the_environment_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    one = save(tmp_path / "one", document("main", namespace="shop"))
    two = document("main", "https://second.example.com")
    two["contexts"].append({"name": "other", "context": {"cluster": "main", "user": "main", "namespace": "far"}})
    paths = os.pathsep.join([str(tmp_path / "absent"), str(one), str(save(tmp_path / "two", two))])
    access = load(environ={"KUBECONFIG": paths})
    assert (access.server, access.namespace) == (SERVER, "shop")
    other = load(context="other", environ={"KUBECONFIG": paths})
    assert (other.server, other.namespace) == (SERVER, "far")


def test_then_the_home_then_the_pod(tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.mkdir()
    for name in ("token", "ca.crt", "namespace"):
        (account / name).write_text(f"{name}\n", encoding="utf-8")
    pod = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    inside = load(environ=pod, service_account=account)
    assert (inside.server, inside.namespace) == ("https://[fd00::1]:6443", "namespace")
    assert inside.credential.authorization() == "Bearer token"
    save(tmp_path / ".kube" / "config", document("home"))
    assert load(environ=pod, service_account=account).origin.startswith("context home of")


def test_without_any_it_says_what_to_set(tmp_path: Path) -> None:
    text = problem(environ={"HOME": str(tmp_path)}, service_account=tmp_path)
    assert "set KUBECONFIG or give --kubeconfig FILE" in text


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "no") in problem(tmp_path / "no", environ={})
    assert "no such file exists" in problem(environ={"KUBECONFIG": str(tmp_path / "no")})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "is no YAML"),
        ("[1]", "is a mapping with clusters"),
        ("", "no current-context is set; give --context NAME"),
        ("clusters: [{}]", "clusters: each entry has a name"),
        ("clusters: [{name: a, cluster: x}]", "clusters: a: cluster is a mapping"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: b}}]", "no cluster 'b'"),
        ("contexts: [{name: a, context: {}}]", "it has a; give --context NAME"),
    ],
)
def test_a_broken_kubeconfig_is_refused_with_the_reason(content: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content, encoding="utf-8")
    text = problem(path, environ={})
    assert text.startswith(str(path))
    assert expected in text


def test_a_context_that_does_not_exist_gets_the_nearest(tmp_path: Path) -> None:
    path = save(tmp_path / "config", document("staging"))
    assert "no context 'stagin'; it has staging; did you mean 'staging'?" in problem(path, "stagin", environ={})


@pytest.mark.parametrize("server", ["api.example.com", "", "ftp://x"])
def test_a_server_is_a_url(server: str, tmp_path: Path) -> None:
    assert "not a URL that starts with https://" in problem(save(tmp_path / "c", document("m", server)), environ={})


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    content = document("main")
    content["clusters"][0]["cluster"]["certificate-authority"] = "pki/ca.crt"
    path = save(tmp_path / "there" / "config", content)
    assert f"certificate-authority: {tmp_path}/there/pki/ca.crt does not exist" in problem(path, environ={})
    (tmp_path / "there" / "pki").mkdir()
    (tmp_path / "there" / "pki" / "ca.crt").write_text("x", encoding="utf-8")
    access = load(path, environ={})
    assert access.config.cluster["certificate-authority"].filename() == f"{tmp_path}/there/pki/ca.crt"


def test_keys_given_as_data_lie_where_only_we_can_read_them_and_go(kubeconfig: Write) -> None:
    data = base64.b64encode(b"key").decode()
    path = kubeconfig(SERVER, **{"client-certificate-data": data, "client-key-data": data})
    access = load(path, environ={})
    key = Path(access.config.user["client-key"].filename())
    assert key.read_bytes() == b"key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    access.close()
    assert not key.parent.exists()


def test_data_that_is_no_base64_leaves_nothing_behind(
    kubeconfig: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = problem(kubeconfig(SERVER, **{"client-key-data": "!!"}), environ={})
    gc.collect()
    assert "client-key-data is not base64" in text
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_a_proxy_of_the_kubeconfig_is_used(kubeconfig: Write, server: Any) -> None:
    server.respond({"gitVersion": "v1.34.4"})
    path = kubeconfig("http://api.invalid:1", cluster={"proxy-url": server.url})
    with Client(load(path, environ={})) as client:
        assert client.version() == "v1.34.4"
    assert server.requests[0].headers["host"] == "api.invalid:1"
