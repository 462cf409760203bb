"""Exported commands, run by a real curl, send the recorded requests."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime import interchange
from speedscale_runtime.interchange.call import Origin, pair_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def test_curl_sends_what_was_recorded(keeper: Any, awkward_calls: Any, tmp_path: Path) -> None:
    given = awkward_calls(f"http://127.0.0.1:{keeper.port}")
    out = interchange.dump("curl", [pair_of(call, Origin("test"), i) for i, call in enumerate(given)])
    script = tmp_path / "requests.sh"
    script.write_bytes(out.files["requests.sh"])
    ran = subprocess.run(
        ["sh", str(script)],
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert len(keeper.requests) == len(given)
    for call, (method, target, headers, body) in zip(given, keeper.requests, strict=True):
        assert (method, target) == (call.method, call.url.partition(f":{keeper.port}")[2])
        assert body == call.body
        sent = Counter((n.lower(), v) for n, v in headers if n.lower() not in ("host", "content-length"))
        assert sent == Counter((n.lower(), v) for n, v in call.headers), call.url
