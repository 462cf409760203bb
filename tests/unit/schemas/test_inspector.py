"""The contract of inspector and backend: table and documents agree, arguments are judged, audits hold no values."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_schemas import inspector, overrides
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.inspector import ANSWER, COMMAND, COMMANDS, HTTP_STATUS, Reason, Refusal
from speedscale_schemas.validation import check, schema


def test_table_and_documents_agree() -> None:
    defined = schema(COMMAND)["$defs"]
    assert [name for name in COMMANDS if name not in defined] == []
    assert set(schema(ANSWER)["$defs"]["reason"]["enum"]) == {reason.value for reason in Reason}
    assert set(HTTP_STATUS) == set(Reason)


@pytest.mark.parametrize("kind", [COMMAND, ANSWER])
def test_examples_keep_to_the_document(kind: str) -> None:
    for example in schema(kind)["examples"]:
        assert check(kind, example) == []


def test_what_changes_something_needs_control() -> None:
    changing = {name for name, command in COMMANDS.items() if command.scope == "control"}
    assert changing == {
        "sidecar-add",
        "sidecar-remove",
        "replay-start",
        "replay-cancel",
        "config-set",
    }


def test_defaults_are_filled_in() -> None:
    found = inspector.arguments("sidecar-add", {"namespace": "shop", "workload": "cart"})
    assert found == {"namespace": "shop", "workload": "cart", "settings": {}, "force": False, "dryRun": False}


@pytest.mark.parametrize(
    ("command", "given", "words"),
    [
        ("logs", {"namespace": "shop"}, "pod"),
        ("logs", {"namespace": "../x", "pod": "a"}, "namespace"),
        ("logs", {"namespace": "shop", "pod": "a", "tail": 1_000_000}, "tail"),
        ("list-pods", {"colour": "red"}, "colour"),
        ("list-pods", [], "object"),
        ("replay-status", {"name": "a"}, "namespace"),
        ("config-set", {}, "expected"),
    ],
)
def test_wrong_arguments_are_told(command: str, given: Any, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        inspector.arguments(command, given)
    assert refused.value.reason is Reason.INVALID_ARGUMENTS
    assert words in refused.value.message


def test_an_unknown_command_is_told() -> None:
    with pytest.raises(Refusal, match="list-workloads"):
        inspector.command("format-disk")


def test_an_audit_holds_keys_and_no_values() -> None:
    given = {"set": {"B": "hunter2", "A": "hunter3"}, "unset": ["C"], "dryRun": True}
    assert inspector.audited("config-set", given) == {"set": ["A", "B"], "unset": ["C"], "dryRun": True}


def test_a_message_that_breaks_the_contract_is_told() -> None:
    with pytest.raises(ConfigError, match="actor"):
        inspector.message({"kind": "run", "id": "c-1", "command": "logs"})


# The operator's override


def changed(before: dict[str, str], put: dict[str, str], *taken: str, profile: str = "gitops") -> dict[str, str]:
    return overrides.changed(before, put, frozenset(taken), profile)


def test_keys_are_changed() -> None:
    before = {"LOG_LEVEL": "debug", "VENDORS_OWN": "x"}
    assert changed(before, {"TEST_PREP_TIMEOUT": "7m"}, "LOG_LEVEL") == {"VENDORS_OWN": "x", "TEST_PREP_TIMEOUT": "7m"}


@pytest.mark.parametrize(
    ("put", "taken", "words"),
    [
        ({"LOG_LEVL": "debug"}, (), "did you mean 'LOG_LEVEL'"),
        ({"LOG_LEVEL": "loud"}, (), "LOG_LEVEL"),
        ({"IMAGE_TAG": "x"}, (), "profile gitops"),
        ({"POD_NAMESPACE": "x"}, (), "never overridden"),
        ({"PROFILE": "operator"}, (), "stand in git"),
        ({}, ("NONE",), "is not in the override"),
        ({"LOG_LEVEL": "info"}, ("LOG_LEVEL",), "both set and unset"),
    ],
)
def test_what_the_operator_would_refuse_is_refused(put: dict[str, str], taken: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        changed({"LOG_LEVEL": "debug"}, put, *taken)


def test_in_profile_operator_components_may_be_overridden() -> None:
    assert changed({}, {"IMAGE_TAG": "v1"}, profile="operator") == {"IMAGE_TAG": "v1"}
