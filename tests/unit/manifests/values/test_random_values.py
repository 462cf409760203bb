"""Over random values: every valid one is accepted, every broken one is refused for its very place."""

from __future__ import annotations

from types import ModuleType

import pytest

from speedscale_manifests import values
from speedscale_manifests.values import loading, reading

COUNT = 200


def test_valid_trees_are_accepted_and_exercise_the_schema(random_values: ModuleType) -> None:
    leaves = set(random_values.leaves())
    seen: set[str] = set()
    for seed in range(COUNT):
        tree = random_values.valid(seed)
        values.from_mapping(tree)
        seen |= set(random_values.used(tree))
    assert len(leaves) > 200
    assert len(seen & leaves) >= 0.9 * len(leaves), sorted(leaves - seen)


def test_what_is_read_back_is_what_was_written(random_values: ModuleType) -> None:
    for seed in range(0, COUNT, 8):
        tree = random_values.valid(seed)
        layer = reading.read(random_values.text(tree), "values.yaml")
        assert layer.tree == tree


def test_broken_trees_are_refused_at_the_broken_place(random_values: ModuleType) -> None:
    ways: set[str] = set()
    for seed in range(COUNT):
        broken = random_values.broken(seed)
        ways.add(broken.how)
        layer, wrong = reading.parse(random_values.text(broken.tree), "values.yaml")
        with pytest.raises(values.ValuesError) as caught:
            loading.build([layer], wrong)
        refusals = caught.value.refusals
        assert {refusal.path for refusal in refusals} == {broken.path}, (seed, broken.how, caught.value.problems)
        for refusal in refusals:
            assert refusal.place.source == "values.yaml"
            assert refusal.place.line > 0
    assert len(ways) >= 7, ways


def test_the_same_seed_gives_the_same_values(random_values: ModuleType) -> None:
    assert random_values.valid(5) == random_values.valid(5)
    assert random_values.broken(5) == random_values.broken(5)
    assert random_values.valid(5) != random_values.valid(6)
