"""ConfigMaps, their hashes, and JSON as the chart writes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.objects import config_hash, config_map, go_json
from speedscale_manifests.values import from_mapping

VALUES = from_mapping({"globalAnnotations": {"example.com/owner": "platform"}})


def test_keys_are_sorted_whatever_order_they_come_in() -> None:
    first = config_map(VALUES, "operator", {"b": "2", "a": "1"})
    second = config_map(VALUES, "operator", {"a": "1", "b": "2"})
    assert list(first["data"]) == ["a", "b"] == list(second["data"])
    assert config_hash(first) == config_hash(second)


def test_it_bears_the_users_annotations() -> None:
    assert config_map(VALUES, "operator", {})["metadata"]["annotations"] == {"example.com/owner": "platform"}


def test_the_hash_is_that_of_the_content_only() -> None:
    plain = config_map(VALUES, "operator", {"a": "1"})
    annotated = config_map(VALUES, "operator", {"a": "1"}, annotations={"x": "y"})
    assert config_hash(plain) == config_hash(annotated)
    assert config_hash(plain) != config_hash(config_map(VALUES, "operator", {"a": "2"}))
    assert config_hash(plain) != config_hash(config_map(VALUES, "operator", {"a": "1"}, name="other"))


def test_the_hash_of_known_content() -> None:
    """Pinned: another value here means that every installation rolls its pods on the next upgrade."""
    known = config_map(VALUES, "operator", {"a": "1", "b": "ü"})
    assert config_hash(known) == "ccffd7a828f653627a0cdfd3f571ddc6092097d5e0a4dc8aca7cb317543a7fcd"


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_different_data_have_different_hashes(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = config_map(VALUES, "operator", one), config_map(VALUES, "operator", other)
    assert (config_hash(first) == config_hash(second)) is (one == other)


def test_json_is_what_go_writes() -> None:
    assert go_json({"b": [1, None, True], "a": None, "c": {"z": "ü", "y": "<&>"}}) == (
        '{"b":[1,true],"c":{"y":"\\u003c\\u0026\\u003e","z":"ü"}}'
    )
    assert go_json({}) == "{}"
    assert go_json("a\u2028b") == '"a\\u2028b"'
