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


def predicate(wanted: Sequence[tuple[str, str]]) -> Predicate:
    """Return a predicate that is true when any (operator, value) applies; ValueError for a bad expression."""
    tests: list[Predicate] = []
    equal = frozenset(value for operator, value in wanted if operator == EQUAL)
    if equal:
        tests.append(equal.__contains__)
    needles = tuple(dict.fromkeys(value for operator, value in wanted if operator == CONTAINS))
    if needles:
        tests.append(_contains(needles))
    tests += [compile_regex(value) for operator, value in wanted if operator == REGEX]
    test = _any(tests)
    return _remembered(test) if len(needles) > _FEW else test


def _contains(needles: tuple[str, ...]) -> Predicate:
    if len(needles) == 1:
        needle = needles[0]
        return lambda text: needle in text

    def contains(text: str) -> bool:
        for needle in needles:  # noqa: SIM110  a loop costs half of any() here
            if needle in text:
                return True
        return False

    return contains


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
