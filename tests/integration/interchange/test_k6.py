"""Exported scripts are modules that a JavaScript engine accepts, and that do what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange.call import Origin, pair_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
]

# Stand-ins of k6's modules that only write down what a script asks of them.
_HTTP = "export const asked = []; export default { request: (...a) => { asked.push(a); return { status: 200 }; } };"
_K6 = "export const check = (res, checks) => { for (const k of Object.keys(checks)) checks[k](res); };"
_ENCODING = "export default { b64decode: (s) => ({ base64: s }) };"


def script(awkward_calls: Any) -> tuple[Any, str]:
    given = awkward_calls("http://shop:8080")
    out = interchange.dump("k6", [pair_of(call, Origin("test"), i) for i, call in enumerate(given)], name="n */ \n x")
    return given, out.files["script.js"].decode()


def test_the_script_parses(awkward_calls: Any, tmp_path: Path) -> None:
    _, text = script(awkward_calls)
    path = tmp_path / "script.mjs"
    path.write_text(text)
    checked = subprocess.run(["node", "--check", str(path)], capture_output=True, timeout=30, check=False)
    assert checked.returncode == 0, checked.stderr.decode()


def test_the_script_asks_for_the_recorded_requests(awkward_calls: Any, tmp_path: Path) -> None:
    given, text = script(awkward_calls)
    for name, content in (("http", _HTTP), ("k6", _K6), ("encoding", _ENCODING)):
        (tmp_path / f"{name}.mjs").write_text(content)
    text = (
        text.replace("'k6/http'", "'./http.mjs'")
        .replace("'k6/encoding'", "'./encoding.mjs'")
        .replace("'k6'", "'./k6.mjs'")
    )
    (tmp_path / "script.mjs").write_text(text)
    (tmp_path / "main.mjs").write_text(
        "globalThis.__ENV = {};\n"
        "const { default: run } = await import('./script.mjs');\n"
        "const { asked } = await import('./http.mjs');\nrun();\nconsole.log(JSON.stringify(asked));\n"
    )
    ran = subprocess.run(["node", str(tmp_path / "main.mjs")], capture_output=True, timeout=30, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    asked = json.loads(ran.stdout)
    assert [(a[0], a[1]) for a in asked] == [(c.method, c.url) for c in given]
    for call, (_, _, body, params) in zip(given, asked, strict=True):
        if isinstance(body, str):
            assert body.encode() == call.body
        assert params["redirects"] == 0
        if call.headers and call.url.endswith("/plain"):
            assert params["headers"] == dict(call.headers)
