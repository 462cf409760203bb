"""Operators: what is asked of a criterion's value.

Called by `rule`. Each becomes a predicate over text, made once. A missing operator means EQUAL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .regexes import compile_regex

EQUAL, CONTAINS, REGEX = "EQUAL", "CONTAINS", "REGEX"
OPERATORS = (EQUAL, CONTAINS, REGEX)

_FEW = 8
_MEMO_ENTRIES, _MEMO_CHARS = 1024, 256

Predicate = Callable[[str], bool]


def predicate(operator: str, wanted: Sequence[str]) -> Predicate:
    """Return a predicate that is true when any of `wanted` applies; ValueError for a bad regular expression."""
    if operator == EQUAL:
        return frozenset(wanted).__contains__
    if operator == REGEX:
        return _any([compile_regex(w) for w in wanted])
    if len(wanted) == 1:
        needle = wanted[0]
        return lambda text: needle in text
    needles = tuple(wanted)

    def contains(text: str) -> bool:
        for needle in needles:  # noqa: SIM110  a loop costs half of any() here
            if needle in text:
                return True
        return False

    return _remembered(contains) if len(needles) > _FEW else contains


def _remembered(test: Predicate) -> Predicate:
    """Remember answers: agents and hosts come again and again. Forgets all when full; long values are not kept."""
    known: dict[str, bool] = {}

    def recall(text: str) -> bool:
        answer = known.get(text)
        if answer is None:
            answer = test(text)
            if len(text) <= _MEMO_CHARS:
                if len(known) >= _MEMO_ENTRIES:
                    known.clear()
                known[text] = answer
        return answer

    return recall


def _any(tests: Sequence[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)
