"""Whatever a values file or an argument holds: it is taken, or refused with a place and a reason; nothing crashes."""

from __future__ import annotations

from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests import values as v
from speedscale_manifests.values import arguments, loading, reading
from speedscale_manifests.values.chart_import import convert
from speedscale_manifests.values.layers import Layer

SIGNS = tuple("-[]{}&*!|>#'\"\n\t~@%:,?é\x00")
WORDS = ("forwarder:", "replicas:", "image:", "tag:", "<<:", "!!", "yes", "0o7", "1.20", "null", "---", "...")
FRAGMENTS = st.sampled_from((*SIGNS, *WORDS))
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=40).map(" ".join)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
KEYS = st.sampled_from(
    ["forwarder", "replicas", "image", "tag", "resources", "limits", "cpu", "exporters", "a", "rules"]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    layer, refusals = reading.parse(content, "v.yaml")
    assert all(refusal.place.source == "v.yaml" and refusal.reason for refusal in refusals)
    found, told, _ = loading.judge([layer], refusals)
    assert bool(told) or v.from_mapping(found.tree)


@given(st.dictionaries(KEYS | st.text(max_size=8), TREES, max_size=5))
def test_any_tree_is_taken_or_refused_at_paths_that_can_be_written(tree: dict[str, object]) -> None:
    found, refusals, _ = loading.judge([Layer("v", tree)])
    for refusal in refusals:
        arguments.split(f"{refusal.path}=x")
    if not refusals:
        assert v.from_mapping(found.tree).tree() == found.tree


@given(st.text(max_size=30) | st.tuples(TEXTS, TEXTS).map("=".join))
def test_any_argument_is_taken_or_refused(argument: str) -> None:
    try:
        v.load(sets=[argument])
    except v.ValuesError as error:
        sources = {refusal.place.source[:5] for refusal in error.refusals}
    else:
        sources = {"--set"}
    assert sources == {"--set"}


@given(st.dictionaries(KEYS | st.text(max_size=8), TREES, max_size=5))
def test_any_chart_values_become_values(tree: dict[str, object]) -> None:
    v.from_mapping(convert(tree).values)


@given(st.lists(st.text(min_size=1, max_size=8) | st.integers(0, 9), min_size=1, max_size=4))
def test_paths_as_text_are_read_back(parts: list[str | int]) -> None:
    path = ("a", *parts)
    found, value = arguments.split(f"{v.text(path)}=b=c")
    assert (found, value) == (path, "b=c")


def test_layers_may_come_in_any_split(random_values: ModuleType) -> None:
    """Maps merge key by key: the same settings in two files, one below the other, say the same as in one."""
    for seed in range(40):
        tree = random_values.valid(seed)
        upper = {key: value for number, (key, value) in enumerate(tree.items()) if number % 2}
        lower = {key: value for key, value in tree.items() if key not in upper}
        split = loading.build([Layer("a", lower), Layer("b", upper)])
        assert split.tree() == v.from_mapping(tree).tree()
