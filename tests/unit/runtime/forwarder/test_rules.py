"""Rules by name: where they are looked for, and that a wrong one never turns protection off."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from speedscale_runtime import filters
from speedscale_runtime.forwarder.rules import RETRY_S, RuleSet, State
from speedscale_runtime.rrpair import RRPair

SHOP = RRPair({"service": "shop"})


def write(home: Path, kind: str, name: str, document: object) -> Path:
    path = home / "data" / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    os.utime(path, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns + 1_000_000))
    return path


def rules(home: Path, filter_name: str = "", dlp_name: str = "") -> RuleSet:
    made = RuleSet(home, "", filter_name, dlp_name)
    made.refresh()
    return made


def test_built_in_rules_are_found_and_own_ones_come_first(tmp_path: Path) -> None:
    assert rules(tmp_path, "standard").loaded
    write(tmp_path, "filters", "standard", {"query": "service IS shop"})
    own = rules(tmp_path, "standard")
    assert own.drop is not None
    assert own.drop.id == "standard"
    assert own.drop.matches(SHOP)


def test_no_names_mean_no_rules(tmp_path: Path) -> None:
    none = rules(tmp_path)
    assert (none.loaded, none.drop, none.redactor) == (True, None, None)


def test_redaction_makes_its_key_and_keeps_it(tmp_path: Path) -> None:
    assert rules(tmp_path, dlp_name="standard").redactor is not None
    (key,) = tmp_path.glob("*.json")
    before = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    assert rules(tmp_path, dlp_name="standard").loaded
    assert key.read_bytes() == before


@pytest.mark.parametrize(
    ("filter_name", "dlp_name", "words"),
    [
        ("none", "", "no such built-in filter rule"),
        ("standrad", "", "did you mean 'standard'"),
        ("", "nowhere", "nowhere"),
        ("../../etc/passwd", "", "expected a name"),
        ("", "a/b", "expected a name"),
        ("broken", "", "expected JSON"),
        ("list", "", "expected a JSON object"),
        ("wrong", "", "unknown keyword"),
    ],
)
def test_what_is_not_there_or_wrong_is_a_problem_not_a_gap(
    tmp_path: Path, filter_name: str, dlp_name: str, words: str
) -> None:
    write(tmp_path, "filters", "broken", "{")
    write(tmp_path, "filters", "list", [])
    write(tmp_path, "filters", "wrong", {"query": "nonsense"})
    found = rules(tmp_path, filter_name, dlp_name)
    assert not found.loaded
    assert words in found.problem


def test_changes_are_taken_up_and_the_last_good_rule_stays(tmp_path: Path) -> None:
    path = write(tmp_path, "filters", "mine", {"query": "service IS shop"})
    found = rules(tmp_path, "mine")
    assert not found.refresh()
    path.write_text('{"query": "service IS other than this"}')
    assert not found.refresh()
    assert found.problem
    assert found.loaded
    assert found.drop is not None
    assert found.drop.matches(SHOP)
    path.write_text('{"query": "service IS bakery"}')
    assert found.refresh()
    assert not found.problem
    assert found.drop is not None
    assert not found.drop.matches(SHOP)
    path.unlink()
    assert not found.refresh()
    assert "no such built-in filter rule" in found.problem
    assert found.generation == 2


def test_a_broken_rule_does_not_hold_up_an_edit_of_the_other(tmp_path: Path) -> None:
    path = write(tmp_path, "filters", "mine", {"query": "service IS shop"})
    write(tmp_path, "dlp", "staff", {"id": "staff", "discover_patterns": True, "detectors": {"enable": ["email"]}})
    found = rules(tmp_path, "mine", "staff")
    assert str(found.state) == State.CURRENT
    path.write_text("{")
    write(tmp_path, "dlp", "staff", {"id": "staff", "discover_patterns": True})
    assert found.refresh()
    assert found.state is State.LAST_GOOD
    assert found.drop is not None
    assert found.redactor is not None
    assert b"REDACTED-SSN-" in found.redactor.redact_text(b'{"ssn": "123-45-6789"}')[0]


def test_rules_of_a_config_map_change_when_the_kubelet_swaps_its_folder(tmp_path: Path) -> None:
    mount = tmp_path / "data" / "filters"
    mount.mkdir(parents=True)

    def publish(version: str, service: str) -> None:
        folder = mount / f"..{version}"
        folder.mkdir()
        (folder / "mine.json").write_text(json.dumps({"query": f"service IS {service}"}))
        (mount / "..new").symlink_to(folder.name)
        (mount / "..new").rename(mount / "..data")

    publish("1", "shop")
    (mount / "mine.json").symlink_to("..data/mine.json")
    found = rules(tmp_path, "mine")
    assert found.drop is not None
    assert found.drop.matches(SHOP)
    publish("2", "bank")  # as many bytes as before
    assert found.refresh()
    assert not found.drop.matches(SHOP)


def test_a_new_key_in_a_mounted_secret_is_taken_up(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "k1").write_text(base64.b64encode(b"1" * 32).decode())
    found = RuleSet(tmp_path, str(keys), "", "standard")
    assert found.refresh()
    assert found.redactor is not None
    before = found.redactor.redact_text(b"ada@example.com")[0]
    (keys / "k2").write_text(base64.b64encode(b"2" * 32).decode())
    assert found.refresh()
    after = found.redactor.redact_text(b"ada@example.com")[0]
    assert after.startswith(b"REDACTED-EMAIL-")
    assert after != before


def test_what_was_refused_is_read_again_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "filters", "mine", {"query": "service IS shop"})
    now = [0.0]
    found = RuleSet(tmp_path, "", "mine", "", lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setattr(filters, "compile_rule", lambda *_, **__: 1 / 0)
        assert not found.refresh()
    assert str(found.state) == State.MISSING
    now[0] = RETRY_S - 1
    assert not found.refresh()
    assert found.problem
    now[0] = RETRY_S
    assert found.refresh()
    assert found.state is State.CURRENT


def test_a_bug_leaves_the_last_good_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "filters", "mine", {"query": "service IS shop"})
    found = rules(tmp_path, "mine")
    path.write_text('{"query": "service IS bakery!"}')

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(filters, "compile_rule", fail)
    assert not found.refresh()
    assert "ZeroDivisionError" in found.problem
    assert found.loaded
