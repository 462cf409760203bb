"""`speedctl files` and `speedctl inspect`: results, exit codes, and what they say when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speedscale_runtime.cli import root
from speedscale_runtime.rrpair import RRPair, jsonform, markdown, recording


def a_pair(number: int, **changes: Any) -> RRPair:
    doc: dict[str, Any] = {
        "msgType": "rrpair",
        "ts": f"2026-03-01T10:20:3{number}.5Z",
        "l7protocol": "http",
        "direction": "IN",
        "duration": 10 * number,
        "uuid": f"AAAAAAAAAAAAAAAAAAAAA{number}==",
        "command": "GET",
        "location": f"/orders/{number}",
        "status": "200",
        "network_address": "shop:80",
        "http": {
            "req": {"method": "GET", "uri": f"/orders/{number}", "url": f"/orders/{number}", "host": "shop"},
            "res": {"statusCode": 200, "statusMessage": "200 OK", "body": "x" * number},
        },
    }
    doc.update(changes)
    return RRPair.from_doc(doc)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with recording.Writer(tmp_path / "in") as writer:
        for number in range(3):
            writer.write(a_pair(number))
        writer.write(a_pair(3, direction="OUT", status="500"))
    return tmp_path / "in"


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = root.main([str(arg) for arg in argv])
    said = capsys.readouterr()
    return code, said.out, said.err


def pairs(path: Path) -> list[RRPair]:
    return [entry.pair for entry in recording.read(path) if entry.pair is not None]


Capsys = pytest.CaptureFixture[str]


# validate


def test_validate_good_recordings(source: Path, capsys: Capsys) -> None:
    (source / "README.md").write_text("hello")
    code, out, err = run(capsys, "files", "validate", source)
    assert (code, err) == (0, "")
    assert out.endswith("4 pairs are readable, 0 problems\n")
    assert f"skipped: {source}/README.md: is no recording by its name" in out


def test_validate_names_every_problem_and_goes_on(source: Path, capsys: Capsys) -> None:
    (source / "a.json").write_text('{"direction": "IN",}')
    (source / "b.json").write_text('{"direction": 5}')
    (source / "c.md").write_text("nothing")
    code, out, _ = run(capsys, "files", "validate", source, "-o", "json")
    said = json.loads(out)
    assert code == 1
    assert said["pairs"] == 5
    assert [problem.removeprefix(f"{source}/").split(": ")[0] for problem in said["problems"]] == [
        "a.json:1:20",
        "b.json",
        "c.md:1",
    ]
    assert said["problems"][1].endswith("direction: 5: expected string, found integer")


def test_validate_of_nothing_is_a_problem(tmp_path: Path, capsys: Capsys) -> None:
    assert run(capsys, "files", "validate", tmp_path)[0] == 1
    code, out, _ = run(capsys, "files", "validate", tmp_path / "none")
    assert code == 1
    assert "no such file or folder" in out


# convert


@pytest.mark.parametrize(("fmt", "count"), [("json", 4), ("jsonl", 1), ("markdown", 4)])
def test_convert_to_another_folder(source: Path, tmp_path: Path, capsys: Capsys, fmt: str, count: int) -> None:
    out = tmp_path / "out"
    code, text, _ = run(capsys, "files", "convert", "--in", source, "--out", out, "--out-format", fmt)
    assert code == 0
    assert "4 pairs written" in text
    assert len(recording.files(out)) == count
    assert run(capsys, "files", "compare", source, out)[0] == 0
    assert len(recording.files(source)) == 4


def test_convert_in_place_and_back(source: Path, capsys: Capsys) -> None:
    before = {path: path.read_bytes() for path in recording.files(source)}
    assert run(capsys, "files", "convert", "--in", source, "--out-format", "json")[0] == 0
    assert [path.suffix for path in recording.files(source)] == [".json"] * 4
    assert run(capsys, "files", "convert", "--in", source, "--out-format", "markdown")[0] == 0
    assert {path: path.read_bytes() for path in recording.files(source)} == before


def test_convert_in_place_keeps_originals_when_asked(source: Path, capsys: Capsys) -> None:
    run(capsys, "files", "convert", "--in", source, "--out-format", "json", "--keep-original")
    names = sorted(path.name for path in (source / "localhost").iterdir())
    assert [name.rpartition("Z")[2] for name in names] == [".json", ".md"] * 3
    assert len(pairs(source)) == 8


def test_convert_in_place_keeps_what_it_cannot_read(source: Path, capsys: Capsys) -> None:
    broken = source / "broken.md"
    broken.write_text("nothing")
    code, text, _ = run(capsys, "files", "convert", "--in", source, "--out-format", "json")
    assert code == 1
    assert "4 pairs written" in text
    assert f"{broken}:1: expected" in text
    assert broken.read_text() == "nothing"


def test_protocols_without_a_readable_form_stay_json(tmp_path: Path, capsys: Capsys) -> None:
    pair = RRPair.from_doc(
        {"direction": "OUT", "network_address": "db:5432", "postgres": {"request": {}}, "ts": "2026-03-01T10:20:30Z"}
    )
    with recording.Writer(tmp_path / "in", "json") as writer:
        path = writer.write(pair)
    before = path.read_bytes()
    assert run(capsys, "files", "convert", "--in", tmp_path / "in", "--out-format", "markdown")[0] == 0
    assert recording.files(tmp_path / "in") == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("action", ["convert", "filter"])
def test_targets_that_would_mix_or_grow_are_refused(source: Path, tmp_path: Path, capsys: Capsys, action: str) -> None:
    more = ["--query", '(direction IS "IN")'] if action == "filter" else []
    code, _, err = run(capsys, "files", action, "--in", source, "--out", source / "x", *more)
    assert code == 2
    assert "lies in" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    code, _, err = run(capsys, "files", action, "--in", source, "--out", tmp_path / "full", *more)
    assert code == 2
    assert "is not empty" in err
    code, _, err = run(capsys, "files", action, "--in", tmp_path / "none", "--out", tmp_path / "o", *more)
    assert code == 2
    assert "no such file or folder" in err
    assert not (tmp_path / "o").exists()


def test_a_single_file_is_not_converted_in_place(source: Path, capsys: Capsys) -> None:
    file = recording.files(source)[0]
    assert run(capsys, "files", "convert", "--in", file, "--out-format", "json")[0] == 2
    assert file.exists()


# compare


def test_compare_names_what_differs(source: Path, tmp_path: Path, capsys: Capsys) -> None:
    with recording.Writer(tmp_path / "b", "json") as writer:
        for pair in pairs(source)[:2]:
            pair.doc["duration"] = 7
            writer.write(pair)
        writer.write(a_pair(9))
    code, out, _ = run(capsys, "files", "compare", source, tmp_path / "b", "-o", "json")
    said = json.loads(out)
    assert code == 1
    assert said["same"] == 0
    assert list(said["changed"].values()) == [["duration: 0 → 7"], ["duration: 10 → 7"]]
    assert [name.split(" [")[0] for name in said["onlyA"]] == ["IN GET /orders/2", "OUT GET /orders/3"]
    assert [name.split(" [")[0] for name in said["onlyB"]] == ["IN GET /orders/9"]
    assert run(capsys, "files", "compare", source, tmp_path / "none")[0] == 2


# filter


def test_filter_by_query_keeps_and_drops(source: Path, tmp_path: Path, capsys: Capsys) -> None:
    query = '(direction IS "OUT")'
    code, text, _ = run(capsys, "files", "filter", "--in", source, "--out", tmp_path / "kept", "--query", query)
    assert code == 0
    assert "1 pairs written" in text
    assert "3 left out" in text
    assert [pair.direction for pair in pairs(tmp_path / "kept")] == ["OUT"]
    run(capsys, "files", "filter", "--in", source, "--out", tmp_path / "rest", "--query", query, "--drop")
    assert [pair.direction for pair in pairs(tmp_path / "rest")] == ["IN"] * 3


def test_filter_by_file(source: Path, tmp_path: Path, capsys: Capsys) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text('{"id":"f","conditions":[{"filters":[{"include":true,"detectedStatus":"500"}]}]}')
    code, _, _ = run(capsys, "files", "filter", "--in", source, "--out", tmp_path / "out", "--filter-config", rule)
    assert code == 0
    assert [pair.doc["status"] for pair in pairs(tmp_path / "out")] == ["500"]


def test_bad_rules_are_told_with_file_and_line(source: Path, tmp_path: Path, capsys: Capsys) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text('{"id":"f",\n"conditions":[\n{"filter":[]}]}')
    code, _, err = run(capsys, "files", "filter", "--in", source, "--out", tmp_path / "o", "--filter-config", rule)
    assert code == 2
    assert f"{rule}:3: conditions[0].filter: 'filter': unknown key" in err
    code, _, err = run(capsys, "files", "filter", "--in", source, "--out", tmp_path / "o", "--query", "(direction")
    assert code == 2
    assert err.startswith("speedctl: ")
    code, _, err = run(
        capsys, "files", "filter", "--in", source, "--out", tmp_path / "o", "--filter-config", tmp_path / "no"
    )
    assert code == 2
    assert "No such file" in err


# inspect


def test_inspect_lists_pairs_and_sums(source: Path, capsys: Capsys) -> None:
    code, out, err = run(capsys, "inspect", "--in", source)
    assert (code, err) == (0, "")
    lines = out.split("\n")
    assert lines[0].split() == ["time", "dir", "method", "host", "path", "status", "ms", "bytes"]
    assert lines[2].split() == ["2026-03-01T10:20:31.5Z", "IN", "GET", "shop", "/orders/1", "200", "10", "1", "B"]
    assert "OUT GET /orders/3" in out
    assert lines[-2] == "4 pairs"


def test_inspect_as_json_filters_endpoints(source: Path, capsys: Capsys) -> None:
    code, out, _ = run(capsys, "inspect", "--in", source, "--endpoint", "orders/3", "-o", "json")
    said = json.loads(out)
    assert code == 0
    assert said["count"] == 1
    assert said["pairs"][0]["direction"] == "OUT"
    assert said["hosts"] == [{"name": "OUT shop", "pairs": 1, "statuses": {"500": 1}, "bytes": 3, "averageMs": 30.0}]
    assert json.loads(run(capsys, "inspect", "--in", source, "--summary", "-o", "json")[1])["pairs"] == []


def test_inspect_shows_one_pair(source: Path, capsys: Capsys) -> None:
    file = source / "localhost" / "2026-03-01_10-20-32.5Z.md"
    code, out, _ = run(capsys, "inspect", "--show", file)
    assert code == 0
    assert out.startswith("### REQUEST ###\n```\nGET http://shop:80/orders/2 HTTP/1.1\n```")
    assert "### INTERNAL" not in out
    code, out, _ = run(capsys, "inspect", "--show", file, "-o", "json")
    assert jsonform.loads(out.encode()) == a_pair(2) == markdown.loads(file.read_bytes())


def test_inspect_tells_what_is_broken_and_what_is_missing(source: Path, tmp_path: Path, capsys: Capsys) -> None:
    (source / "x.md").write_text("nothing")
    code, out, _ = run(capsys, "inspect", "--in", source)
    assert code == 1
    assert f"broken: {source}/x.md:1: expected" in out
    for argv in (
        [],
        ["--in", tmp_path / "none"],
        ["--show", source / "x.md"],
        ["--show", source],
        ["--show", tmp_path / "none"],
        ["--in", source / "localhost", "--endpoint", "nowhere"],
    ):
        code, _, err = run(capsys, "inspect", *argv)
        assert code == 2
        assert err.startswith("speedctl: ")


def test_cells_are_safe_for_a_terminal(tmp_path: Path, capsys: Capsys) -> None:
    with recording.Writer(tmp_path / "r") as writer:
        writer.write(a_pair(1, location="/\x1b[31mred" + "x" * 200))
    _, out, _ = run(capsys, "inspect", "--in", tmp_path / "r")
    assert "\x1b" not in out
    assert "…" in out


@pytest.mark.parametrize("verb", [["files"], ["files", "convert"], ["files", "filter"], ["inspect"]])
def test_help_has_examples(verb: list[str], capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        root.main([*verb, "--help"])
    assert caught.value.code == 0
    assert f"speedctl {' '.join(verb)} " in capsys.readouterr().out.partition("examples:")[2]
