"""Tokens that rotate and plugins that mint them."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from speedscale_kube import Client, Ref, load
from speedscale_kube.credentials import ExecPlugin, TokenFile
from speedscale_kube.errors import UnauthorizedError
from speedscale_kube.private import PrivateFolder
from speedscale_schemas.errors import ConfigError

IT = Ref("v1", "ConfigMap", "shop", "it")
GROUP = "client.authentication.k8s.io"


def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "token"
    path.write_text("one\n", encoding="utf-8")
    token = TokenFile(path, lambda: now[0])
    assert token.authorization() == "Bearer one"
    path.write_text("two\n", encoding="utf-8")
    now[0] = 59.9
    assert token.authorization() == "Bearer one"
    now[0] = 60.0
    assert token.authorization() == "Bearer two"
    path.unlink()
    now[0] = 200.0
    assert token.authorization() == "Bearer two", "a volume is swapped: the file is gone for a moment"


def test_a_token_file_that_was_never_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the token cannot be read"):
        TokenFile(tmp_path / "token").authorization()


def test_after_a_401_the_token_is_read_anew_and_the_request_sent_once_more(
    server: Any, kubeconfig: Callable[..., Path], tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("old", encoding="utf-8")
    with Client(load(kubeconfig(server.url, tokenFile="token"), environ={})) as client:
        server.respond({"kind": "ConfigMap"})
        client.get(IT)
        token.write_text("new", encoding="utf-8")
        server.respond((401, "Unauthorized", {}), {"kind": "ConfigMap"})
        assert client.get(IT) == {"kind": "ConfigMap"}
        assert [r.headers["authorization"] for r in server.requests[-2:]] == ["Bearer old", "Bearer new"]
        server.respond((401, "Unauthorized", {}), (401, "Unauthorized", {}))
        with pytest.raises(UnauthorizedError):
            client.get(IT)


def test_a_fixed_token_is_not_tried_twice(server: Any, client: Client) -> None:
    client.resource("v1", "ConfigMap")
    server.refuse(401, "Unauthorized")
    with pytest.raises(UnauthorizedError):
        client.get(IT)
    assert len(server.asked()) == 1


def plugin(tmp_path: Path, script: str, **spec: Any) -> dict[str, Any]:
    path = tmp_path / "plugin.py"
    path.write_text(script, encoding="utf-8")
    return {"apiVersion": f"{GROUP}/v1", "command": sys.executable, "args": [str(path)], **spec}


PRINT = """
import json, os, pathlib
seen = pathlib.Path(__file__).with_name("seen")
seen.write_text((seen.read_text() if seen.exists() else "") + os.environ["KUBERNETES_EXEC_INFO"] + "\\n")
status = json.loads(os.environ["STATUS"])
print(json.dumps({"kind": "ExecCredential", "status": status}))
"""


def test_a_plugin_runs_once_until_what_it_printed_expires(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()]
    status = {"token": "minted", "expirationTimestamp": "2026-01-01T12:10:00Z"}
    spec = plugin(tmp_path, PRINT, env=[{"name": "STATUS", "value": json.dumps(status)}], provideClusterInfo=True)
    made = ExecPlugin(spec, {"server": "https://x"}, PrivateFolder(), lambda: now[0])
    assert [made.authorization(), made.authorization()] == ["Bearer minted"] * 2
    runs = (tmp_path / "seen").read_text(encoding="utf-8").splitlines()
    assert [json.loads(run)["spec"] for run in runs] == [{"interactive": False, "cluster": {"server": "https://x"}}]
    now[0] += 600 - 10
    made.authorization()
    made.renew()
    made.authorization()
    assert len((tmp_path / "seen").read_text(encoding="utf-8").splitlines()) == 3


def test_a_plugin_may_mint_a_certificate(tmp_path: Path) -> None:
    status = {"clientCertificateData": "CRT", "clientKeyData": "KEY"}
    spec = plugin(tmp_path, PRINT, env=[{"name": "STATUS", "value": json.dumps(status)}])
    made = ExecPlugin(spec, {}, PrivateFolder())
    assert made.authorization() is None
    certificate, key = made.certificate() or ("", "")
    assert (Path(certificate).read_text(encoding="utf-8"), Path(key).read_text(encoding="utf-8")) == ("CRT", "KEY")
    assert stat.S_IMODE(Path(key).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("script", "spec", "expected"),
    [
        ("import sys; sys.exit('log in first')", {}, "ended with 1: log in first"),
        ("print('hello')", {}, "printed no ExecCredential"),
        ("print('[]')", {}, "printed no ExecCredential"),
        ("", {"command": "no-such-plugin", "installHint": "get it at example.com"}, "not installed; get it at"),
        ("", {"command": "no-such-plugin"}, "not installed; install it, or take another context"),
        ("", {"apiVersion": f"{GROUP}/v9"}, "known are"),
    ],
)
def test_a_plugin_that_fails_is_quoted(script: str, spec: dict[str, Any], expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        ExecPlugin(plugin(tmp_path, script, **spec), {}, PrivateFolder()).authorization()
    assert expected in str(caught.value)


def test_a_plugin_of_a_kubeconfig_logs_in(server: Any, kubeconfig: Callable[..., Path], tmp_path: Path) -> None:
    status = json.dumps({"token": "minted"})
    spec = plugin(tmp_path, PRINT, env=[{"name": "STATUS", "value": status}], apiVersion=f"{GROUP}/v1beta1")
    with Client(load(kubeconfig(server.url, exec=spec), environ={})) as client:
        server.respond({"gitVersion": "v1.34.4"})
        client.version()
    assert server.requests[-1].headers["authorization"] == "Bearer minted"
