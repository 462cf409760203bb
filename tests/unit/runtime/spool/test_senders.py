"""The sender table: what was stored is known, what was not is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.spool import senders
from speedscale_runtime.spool.senders import WINDOW, SenderTable


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 2), st.integers(0, WINDOW - 1)), max_size=60))
def test_within_the_window_it_is_a_set(batches: list[tuple[str, int, int]]) -> None:
    table = SenderTable()
    known: set[tuple[str, int, int]] = set()
    for batch in batches:
        assert table.has(*batch) is (batch in known)
        table.add(*batch)
        known.add(batch)
    again = SenderTable()
    again.load(table.dump())
    for sender in "abc":
        for epoch in (1, 2):
            for sequence in (*range(0, WINDOW, 97), *(s for _, _, s in batches)):
                expected = (sender, epoch, sequence) in known
                assert table.has(sender, epoch, sequence) is expected
                assert again.has(sender, epoch, sequence) is expected


def test_what_is_older_than_the_window_counts_as_seen() -> None:
    table = SenderTable()
    table.add("a", 1, 5 * WINDOW)
    assert table.has("a", 1, 4 * WINDOW)
    assert not table.has("a", 1, 4 * WINDOW + 1)
    assert not table.has("a", 1, 5 * WINDOW + 1)
    table.add("a", 1, 3)
    assert not table.has("a", 1, 5 * WINDOW - 1)


def test_the_sender_unheard_of_for_longest_is_forgotten_first() -> None:
    table = SenderTable()
    for i in range(senders.MAX_SENDERS):
        table.add(f"s{i}", 1, 1)
    table.add("s0", 1, 2)
    table.add("new", 1, 1)
    assert table.forgotten == 1
    assert table.has("s0", 1, 1)
    assert not table.has("s1", 1, 1)


def test_a_later_checkpoint_wins() -> None:
    old, new, table = SenderTable(), SenderTable(), SenderTable()
    old.add("a", 1, 1)
    new.add("a", 1, 1)
    new.add("a", 1, 2)
    table.load(old.dump())
    table.load(new.dump())
    assert table.has("a", 1, 2)
