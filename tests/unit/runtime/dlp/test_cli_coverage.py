"""`speedctl dlp explain DIR`, `coverage`, `recommend`, `accept`: a recording becomes a tighter rule, comments kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cli.root import main
from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.rrpair import RRPair, recording

MAIL, NICK = "ada@example.com", "qwertz_uiop7"
NARROW = '{"id": "narrow", "discover_patterns": true, "detectors": {"enable": ["email"]}}'
RULE = """\
# ours; ask the officer before a change
id: staff
discover_patterns: true   # by look
detectors: {enable: [email]}

structural:
- "tags.*"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEEDSCALE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    with recording.Writer(tmp_path / "raw", "json") as writer:
        for i in range(3):
            http = {
                "req": {"method": "GET", "uri": "/me", "headers": {}},
                "res": {"statusCode": 200, "headers": {"Content-Type": ["application/json"]}},
            }
            doc = {"msgType": "rrpair", "l7protocol": "http", "command": "GET", "location": "/me", "http": http}
            body = {"mail": MAIL, "nickname": f"{NICK}{i}", "n": 7}
            writer.write(RRPair({**doc, "ts": f"2026-01-01T00:00:0{i}Z"}, None, json.dumps(body).encode()))
    return tmp_path / "raw"


@pytest.fixture
def narrow(tmp_path: Path) -> str:
    (tmp_path / "narrow.json").write_text(NARROW)
    return str(tmp_path / "narrow.json")


@pytest.fixture
def proposal(recorded: Path, narrow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    out = tmp_path / "proposed.yaml"
    assert main(["dlp", "recommend", str(recorded), "--dlp-config", narrow, "--out", str(out)]) == 0
    capsys.readouterr()
    return out


def asked(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["dlp", *arguments, "-o", "json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_recording_is_explained_pair_by_pair_without_a_value(
    recorded: Path, narrow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = asked(capsys, "explain", str(recorded), "--dlp-config", narrow, "--limit", "2")
    assert (data["rule"], len(data["pairs"]), data["notShown"]) == ("narrow", 2, 1)
    (taken,) = data["pairs"][0]["taken"]
    assert (taken["kind"], taken["place"], taken["detector"]) == ("EMAIL", "http.res.body:$.mail", "email")
    file = str(sorted(recorded.rglob("*.json"))[0])
    assert main(["dlp", "explain", file, "--dlp-config", narrow]) == 0
    text = capsys.readouterr().out
    assert "taken  EMAIL          http.res.body:$.mail, 15 bytes: local part" in text
    assert find_leaks(text.encode(), [MAIL, f"{NICK}0"]) == []


def test_coverage_says_what_is_left_and_fails_while_there_is_something(
    recorded: Path, narrow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = asked(capsys, "coverage", str(recorded), "--dlp-config", narrow, code=1)
    (found,) = data["suspects"]
    assert (found["field"], found["confidence"]) == ("http.res.body:$.nickname", "high")
    assert main(["dlp", "coverage", str(recorded), "--dlp-config", narrow]) == 1
    text = capsys.readouterr().out
    assert "http.res.body:$.nickname  of GET /me" in text
    assert NICK not in text


def test_a_recommendation_is_printed_or_written_the_same_each_time(
    recorded: Path, narrow: str, proposal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = proposal.read_text()
    assert text.startswith("# Proposed by")
    assert find_leaks(proposal, [MAIL, *(f"{NICK}{i}" for i in range(3))]) == []
    again = tmp_path / "again.json"
    assert main(["dlp", "recommend", str(recorded), "--dlp-config", narrow, "--out", str(again)]) == 0
    capsys.readouterr()
    printed = asked(capsys, "recommend", str(recorded), "--dlp-config", narrow)
    assert printed == json.loads(again.read_text())


def test_a_new_rule_begins_as_a_copy_and_covers_the_field(
    recorded: Path, proposal: Path, narrow: str, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = home / "data" / "dlp" / "narrow.json"  # the rule that the proposal names
    stored.parent.mkdir(parents=True)
    stored.write_text(NARROW)
    mine = tmp_path / "rules" / "mine.json"
    data = asked(capsys, "accept", str(proposal), "--into", str(mine))
    assert (len(data["added"]), data["there"], data["rule"]) == (1, [], "mine")
    rule = json.loads(mine.read_text())
    assert (rule["id"], rule["detectors"]) == ("mine", {"enable": ["email"]})
    assert asked(capsys, "coverage", str(recorded), "--dlp-config", str(mine))["suspects"] == []
    out = tmp_path / "out"
    assert main(["dlp", "apply", "--in", str(recorded), "--out", str(out), "--dlp-config", str(mine)]) == 0
    assert find_leaks(out, [MAIL, *(f"{NICK}{i}" for i in range(3))]) == []
    capsys.readouterr()
    before = mine.read_bytes()
    assert asked(capsys, "accept", str(proposal), "--into", str(mine))["added"] == []
    assert mine.read_bytes() == before


def test_a_rule_in_yaml_keeps_its_comments_and_is_read_again(
    recorded: Path, proposal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "staff.yaml"
    rule.write_text(RULE)
    rule.chmod(0o640)
    assert main(["dlp", "accept", str(proposal), "--into", str(rule), "--dry-run"]) == 0
    assert rule.read_text() == RULE
    assert "+transforms:" in capsys.readouterr().out
    assert main(["dlp", "accept", str(proposal), "--into", str(rule)]) == 0
    text = rule.read_text()
    assert text.startswith(RULE)
    assert rule.stat().st_mode & 0o777 == 0o640
    capsys.readouterr()
    assert asked(capsys, "coverage", str(recorded), "--dlp-config", str(rule))["suspects"] == []


def test_a_rule_in_a_values_file_is_found_by_its_place(
    proposal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = tmp_path / "values.yaml"
    rule = "".join("      " + line + "\n" if line else "\n" for line in RULE.splitlines())
    given = "# ours\nclusterName: shop  # the big one\nrules:\n  dlp:\n    staff:\n" + rule
    values.write_text(given)
    assert main(["dlp", "accept", str(proposal), "--into", str(values), "--at", "rules.dlp.staff"]) == 0
    text = values.read_text()
    assert "clusterName: shop  # the big one" in text
    assert "# ours; ask the officer before a change" in text
    assert "path: nickname" in text
    capsys.readouterr()
    assert main(["dlp", "accept", str(proposal), "--into", str(values)]) == 2
    assert "say with --at where the rule stands" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"id": "standard"}', "is protected"),
        ('{"id": "x", "discover_patterns": true, "detectors": {"enable": ["nope"]}}', "no such detector"),
        ("{", "expected JSON"),
        ("[]", "expected an object"),
    ],
)
def test_a_rule_that_will_not_do_is_left_as_it_is(
    content: str, says: str, proposal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "x.json"
    rule.write_text(content)
    assert main(["dlp", "accept", str(proposal), "--into", str(rule)]) == 2
    assert says in capsys.readouterr().err
    assert rule.read_text() == content


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["accept", "none.yaml", "--into", "x.json"], "no such file"),
        (["coverage", "nowhere"], "no such file or folder"),
        (["redact", "--in", "nowhere"], "--out is missing"),
        (["explain", "x", "--dlp-config", "none.yaml"], "no such file"),
    ],
)
def test_errors_in_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlp", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_dry_run_writes_nothing(
    recorded: Path, narrow: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["redact", "--in", str(recorded), "--out", str(out), "--dlp-config", narrow]
    data = asked(capsys, *arguments, "--dry-run")
    assert (data["pairs"], data["modified"], data["kinds"], data["dryRun"]) == (3, 3, {"EMAIL": 3}, True)
    assert not out.exists()
    assert main(["dlp", "redact", "--in", str(recorded), "--out", str(recorded / "x"), "--dlp-config", narrow]) == 2
    assert "lies in" in capsys.readouterr().err
