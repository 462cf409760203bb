"""The story that `make demo` tells, step by step, with the same commands that a user would type."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .accounts import CUSTOMERS
from .client import Visit
from .leaks import find_leaks
from .stage import SPEEDCTL, Stage, StageError

_PYTHON = [sys.executable, "-m"]


class Walkthrough:
    """Runs the steps on a stage; `say` gets one line of the story at a time."""

    def __init__(self, stage: Stage, say: Callable[[str], None]) -> None:
        self.stage, self.say = stage, say
        self.folder = stage.folder
        self.recording = self.folder / "recording"
        self.secrets: list[str] = []
        self.urls: dict[str, str] = {}
        self._steps = 0

    def run(self) -> None:
        """Run every step; StageError when one does not end as told."""
        self.say("A small shop, its customers and its two dependencies: one over HTTPS, one over HTTP.")
        self.say(f"Everything it makes lies in {_near(self.folder)}\n")
        self._record()
        snapshot = self._snapshot()
        self._replay(snapshot, "stable", expect=0)
        self._replay(snapshot, "changed", expect=1)
        self._search()
        self._closing()

    def _record(self) -> None:
        stage = self.stage
        ca, certificate = stage.certificate()
        status = {name: self.folder / "home" / f"{name}.json" for name in ("accounts", "payments", "record")}
        here = "speedscale_runtime.demo"
        accounts = stage.start(
            "accounts",
            [*_PYTHON, f"{here}.accounts", "--certificate", str(certificate), "--status-file", str(status["accounts"])],
        )
        payments = stage.start("payments", [*_PYTHON, f"{here}.payments", "--status-file", str(status["payments"])])
        self.urls = {
            "ACCOUNTS_URL": f"https://localhost:{accounts.status(status['accounts'])['port']}",
            "PAYMENTS_URL": f"http://localhost:{payments.status(status['payments'])['port']}",
        }
        port = stage.reserve_port()
        self._step("Record", f"speedctl record --app-port {port} --out recording -- python -m …demo.shop")
        command = [
            *("record", "--app-port", str(port), "--proxy-in-port", "0", "--proxy-out-port", "0"),
            *("--svc-name", "shop", "--out", str(self.recording), "--status-file", str(status["record"])),
            *("--output", "json", "--", *_PYTHON, f"{here}.shop", "--port", str(port)),
        ]
        recorder = stage.start("record", [*SPEEDCTL, *command], {**self.urls, "SSL_CERT_FILE": str(ca)})
        ready = recorder.status(status["record"])
        recorder.wait_for_port(port)
        visits = [Visit(f"http://127.0.0.1:{ready['inPort']}", customer) for customer in CUSTOMERS]
        for visit in visits:
            visit.run()
            self.secrets += visit.secrets
        code = stage.stop(recorder)
        summary = _last_json(recorder.log)
        if code != 0 or not summary:
            raise StageError(f"the recorder ended with {code}:\n{recorder.log.read_text()[-3000:]}")
        for program in (accounts, payments):
            stage.stop(program)
        self._tell_recording(summary, sum(v.requests for v in visits), len(visits))

    def _tell_recording(self, summary: dict[str, Any], requests: int, customers: int) -> None:
        recorded, filtered = summary["recorded"], summary.get("filtered", {})
        self.say(f"  {customers} customers made {requests} requests; {recorded} pairs were recorded, in and out")
        if filtered:
            dropped = ", ".join(f"{n} by filter rule {rule}" for rule, n in filtered.items())
            self.say(f"  left out: {dropped} (health checks and the like)")
        kinds = Counter(summary.get("redacted", {}))
        self.say(f"  redacted before it rested on a disk: {sum(kinds.values())} values")
        for start in range(0, len(kinds), 4):
            row = ", ".join(f"{n} × {kind}" for kind, n in kinds.most_common()[start : start + 4])
            self.say(f"    {row}")
        self.say("  both dependencies are stopped now\n")

    def _snapshot(self) -> Path:
        self._step("Snapshot", "speedctl snapshot create --in recording --name shop --out snapshots")
        out = self.folder / "snapshots"
        _, text = self.stage.speedctl(
            *("snapshot", "snapshot", "create", "--in", str(self.recording), "--name", "shop"),
            *("--out", str(out), "--output", "json"),
        )
        made = json.loads(text)
        self.say(f"  {made['tests']} tests (requests to the shop), {made['mocks']} mocks (its calls to dependencies)")
        self.say(f"  id {made['manifest']['id']}: the same recording gives the same id\n")
        return Path(made["path"])

    def _replay(self, snapshot: Path, build: str, *, expect: int) -> None:
        stage = self.stage
        status = self.folder / "home" / f"mock-{build}.json"
        mocked, out = self.folder / "results" / f"mocked-{build}", self.folder / "reports" / build
        port = stage.reserve_port()
        title = "Mock and replay" if build == "stable" else "Replay a changed build"
        self._step(title, f"speedctl mock --in {snapshot.name[:8]}… -- python -m …demo.shop --build {build}")
        self.say(f"  $ speedctl replay --in {snapshot.name[:8]}… --test-against http://127.0.0.1:{port}")
        mock = stage.start(
            f"mock-{build}",
            [
                *(*SPEEDCTL, "mock", "--in", str(snapshot), "--out", str(mocked), "--proxy-out-port", "0"),
                *("--on-miss", "fail", "--status-file", str(status), "--"),
                *(*_PYTHON, "speedscale_runtime.demo.shop", "--port", str(port), "--build", build),
            ],
            self.urls,
        )
        mock.status(status)
        mock.wait_for_port(port)
        stage.speedctl(
            *(f"replay-{build}", "replay", "--in", str(snapshot), "--out", str(out)),
            *("--test-against", f"http://127.0.0.1:{port}", "--build-tag", build),
            expect=expect,
        )
        stage.stop(mock)
        stage.speedctl(
            *(f"report-{build}", "report", "--in", str(out), "--out", str(out), "--mocks", str(mocked / "mocks.jsonl")),
            expect=expect,
        )
        self._tell_report(json.loads((out / "report.json").read_text()), expect)

    def _tell_report(self, report: dict[str, Any], expect: int) -> None:
        self.say(f"  {report['status']}, exit code {expect}")
        for goal in report["goals"]:
            self.say(f"    {goal['status']} {goal['command']}: wanted {goal['expected']}, measured {goal['actual']}")
        for line in _differences(report)[:3]:
            self.say(f"    {line}")
        self.say("")

    def _search(self) -> None:
        self._step("Search", "every exported byte, for every original value, in every encoding")
        started = time.monotonic()
        files = [
            p
            for part in ("recording", "snapshots", "results", "reports", "logs")
            for p in sorted((self.folder / part).rglob("*"))
            if p.is_file()
        ]
        originals = sorted(set(self.secrets))
        leaks = find_leaks(files, originals)
        size = sum(p.stat().st_size for p in files)
        self.say(
            f"  {len(originals)} originals, {len(files)} files, {size:,} bytes, {time.monotonic() - started:.1f} s: "
            + (f"{len(leaks)} FOUND" if leaks else "none found")
        )
        if leaks:
            raise StageError("\n".join(str(leak) for leak in leaks[:20]))

    def _closing(self) -> None:
        self.say("\nReports, each also as JSON, JUnit XML and Markdown beside it:")
        for build in ("stable", "changed"):
            self.say(f"  {_near(self.folder / 'reports' / build / 'report.html')}")
        self.say("\nTry next:")
        self.say("  . .venv/bin/activate")
        self.say(f"  speedctl inspect --in {_near(self.recording)}")
        self.say(f"  speedctl dlp scan --in {_near(self.recording)}")
        self.say(f"  speedctl export k6 --in {_near(self.recording)} --out load.js")
        self.say("  speedctl record --app-port 8080 --out recording -- YOUR-APPLICATION")

    def _step(self, title: str, command: str) -> None:
        self._steps += 1
        self.say(f"{self._steps} {title}")
        self.say(f"  $ {command}" if command.startswith("speedctl") else f"  {command}")


def _differences(report: dict[str, Any]) -> list[str]:
    """The first differences of a report, one line each."""
    return [
        f"{pair['endpoint']}: {difference['path']} {difference['kind']}: "
        f"{difference['recorded']} → {difference['replayed'] or 'nothing'}"
        for pair in report["failures"]
        for difference in pair["differences"]
        if difference["fails"]
    ]


def _last_json(log: Path) -> dict[str, Any]:
    """The JSON object that a command printed last among its log lines."""
    text = log.read_text()
    start = text.rfind("\n{\n")
    if start < 0 and not text.startswith("{"):
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start + 1 :])
    except ValueError:
        return {}
    return dict(found)


def _near(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
