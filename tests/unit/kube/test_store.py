"""The store: what is known, who hears of changes, and where it ends."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from speedscale_kube import Key, Store

A, B = Key("shop", "a"), Key("shop", "b")
ELSEWHERE = Key("till", "a")


def listened(store: Store[Any]) -> list[tuple[Any, ...]]:
    heard: list[tuple[Any, ...]] = []
    store.add_handler(lambda *change: heard.append(change))
    return heard


def test_handlers_hear_of_arrival_change_and_departure_and_of_nothing_else() -> None:
    store: Store[int] = Store()
    heard = listened(store)
    results = [store.put(A, 1), store.put(A, 1), store.put(A, 2), store.put(A, None), store.put(A, None)]
    assert results == [True, False, True, True, False]
    assert heard == [(A, None, 1), (A, 1, 2), (A, 2, None)]


def test_who_comes_later_hears_of_what_is_there() -> None:
    store: Store[int] = Store()
    store.put(A, 1)
    assert listened(store) == [(A, None, 1)]


def test_replacing_tells_the_differences_only() -> None:
    store: Store[int] = Store()
    store.replace({A: 1, B: 2})
    heard = listened(store)
    heard.clear()
    assert store.replace({B: 2, ELSEWHERE: 3}) == 2
    assert heard == [(A, 1, None), (ELSEWHERE, None, 3)]


def test_replacing_one_namespace_leaves_the_others() -> None:
    store: Store[int] = Store()
    store.replace({A: 1, B: 1}, "shop")
    store.replace({ELSEWHERE: 1}, "till")
    store.replace({B: 1}, "shop")
    assert dict(store.items()) == {B: 1, ELSEWHERE: 1}


def test_a_pair_of_words_is_a_key() -> None:
    store: Store[int] = Store()
    store.put(("shop", "a"), 1)
    assert (store.get(("shop", "a")), ("shop", "a") in store, str(A), str(Key("", "n"))) == (1, True, "shop/a", "n")


def test_indexes_follow_every_change() -> None:
    store: Store[tuple[str, ...]] = Store(indexes={"owner": lambda owners: owners})
    store.replace({A: ("x", "y"), B: ("x",)})
    assert store.by("owner", "x") == (("x", "y"), ("x",))
    store.put(A, ("y",))
    store.put(B, None)
    assert (store.by("owner", "x"), store.by("owner", "y")) == ((), (("y",),))


def test_beyond_the_limit_new_ones_are_left_out_and_known_ones_stay_up_to_date() -> None:
    store: Store[int] = Store(limit=1)
    store.put(A, 1)
    heard = listened(store)
    assert not store.put(B, 1)
    assert (store.left_out, store.get(B)) == (1, None)
    store.put(A, 2)
    store.put(B, None)
    assert (store.left_out, len(heard)) == (0, 2)
    store.replace({A: 2, B: 3, ELSEWHERE: 4})
    assert (len(store), store.left_out) == (1, 1), "what is left out is counted up to the limit again"
    store.replace({B: 3})
    assert (dict(store.items()), store.left_out) == ({B: 3}, 0)


def test_a_handler_that_raises_keeps_nobody_from_hearing() -> None:
    store: Store[int] = Store()
    store.add_handler(lambda key, old, new: 1 / 0)
    heard = listened(store)
    store.put(A, 1)
    assert (heard, store.handler_failures) == ([(A, None, 1)], 1)


def test_a_handler_may_read_the_store_and_write_to_it() -> None:
    store: Store[int] = Store()
    seen: list[Any] = []
    store.add_handler(lambda key, old, new: seen.append((store.get(key), len(store.values()))))
    store.put(A, 1)
    assert seen == [(1, 1)], "no lock is held"


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([A, B, ELSEWHERE]), st.one_of(st.none(), st.integers(0, 2))),
        st.dictionaries(st.sampled_from([A, B, ELSEWHERE]), st.integers(0, 2)),
    )
)


@given(CHANGES, st.integers(1, 3))
def test_what_handlers_heard_adds_up_to_the_store(changes: list[Any], limit: int) -> None:
    store: Store[int] = Store(limit=limit, indexes={"value": lambda value: [value]})
    told: dict[Key, int] = {}

    def on_change(key: Key, old: int | None, new: int | None) -> None:
        assert told.get(key) == old != new
        told.pop(key, None)
        if new is not None:
            told[key] = new

    store.add_handler(on_change)
    for change in changes:
        store.replace(change) if isinstance(change, dict) else store.put(*change)
    assert dict(store.items()) == told
    assert len(store) <= limit
    assert store.handler_failures == 0
    assert {v: len(store.by("value", v)) for v in range(3)} == {v: list(told.values()).count(v) for v in range(3)}
